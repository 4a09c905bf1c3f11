import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import type { Keyline, Queue } from "keyline";
import pg from "pg";
import { eventually, gate, openStage, type Stage } from "../support/stage.ts";
import { containing, startWireProxy, targetOf, through, type WireProxy } from "../support/wire-proxy.ts";

type N = { readonly n: number };

let stage: Stage;
let toValkey: WireProxy;
let toPostgres: WireProxy;
let keyline: Keyline;

beforeAll(async () => {
  stage = await openStage();
  const direct = stage.keyline();
  await direct.migrate();
  await stage.pool.query("CREATE TABLE effects (queue text, n integer)");
});
afterAll(() => stage.close());

beforeEach(async () => {
  toValkey = await startWireProxy({ target: targetOf(inject("valkeyUrl")) });
  toPostgres = await startWireProxy({ target: targetOf(stage.databaseUrl) });
  keyline = stage.keyline({
    valkey: `valkey://127.0.0.1:${toValkey.port}`,
    postgres: { connectionString: through(stage.databaseUrl, toPostgres), max: 20 },
  });
});
afterEach(async () => {
  toValkey.passAll();
  toPostgres.passAll();
  await keyline.close();
  await toValkey.stop();
  await toPostgres.stop();
});

let queues = 0;
const nextName = (): string => `w${queues++}`;

/** Resolves when the relay has looked after a new queue, so that the next COMMIT on the wire is the test's own. */
async function quiet(queue: string): Promise<void> {
  await eventually("the relay has looked after the queue", async () => {
    const { rows } = await stage.pool.query(
      `SELECT FROM keyline.queue WHERE name = $1 AND rebuilt_epoch = epoch
        AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%')`,
      [queue],
    );
    return rows.length === 1;
  });
}

async function effectsOf(queue: string): Promise<number[]> {
  const { rows } = await stage.pool.query<{ n: number }>("SELECT n FROM effects WHERE queue = $1 ORDER BY n", [queue]);
  return rows.map((row) => row.n);
}

function workWithEffects(queue: Queue<N, N, true>): { readonly ran: number[]; stop(): Promise<void> } {
  const ran: number[] = [];
  const worker = queue.work(async (job, { settle }) => {
    ran.push(job.data.n);
    await settle(async (tx) => void (await tx.query("INSERT INTO effects VALUES ($1, $2)", [queue.name, job.data.n])));
  });
  return { ran, stop: () => worker.stop() };
}

async function expectNothingLeft(queue: Queue<N, N, boolean>): Promise<void> {
  await eventually("nothing is left in any list", async () => {
    const { waiting, running, scheduled, dead } = await queue.counts();
    return waiting + running + scheduled + dead === 0;
  });
  expect((await stage.pool.query("SELECT id FROM keyline.job WHERE queue = $1", [queue.name])).rows).toEqual([]);
}

describe("an answer that is swallowed on the wire", () => {
  test.each(["cut", "stall"] as const)("to a BLMOVE (then %s) strands no job", async (andThen) => {
    const queue = keyline.queue<N>(nextName(), { lease: 1_000 });
    const seen: number[] = [];
    const idle = gate();
    const worker = queue.work((job) => void seen.push(job.data.n));
    worker.on("idle", () => idle.open());
    await idle.opened;
    toValkey.swallowReply(containing("blmove"), { andThen });
    // The next BLMOVE is sent when the one that waits now has ended with nothing.
    const direct = stage.keyline().queue<N>(queue.name);
    for (let n = 0; toValkey.swallowed === 0; n++)
      await Promise.all([direct.add({ n }), new Promise((resolve) => setTimeout(resolve, 20))]);
    toValkey.passAll();
    const { id } = await direct.add({ n: -1 });
    expect(id).toBeDefined();
    await eventually("the last job ran", () => seen.includes(-1));
    await eventually("every job ran", async () => {
      const { waiting, running } = await queue.counts();
      return waiting + running === 0;
    });
    const numbers = seen.filter((n) => n >= 0);
    expect(numbers.toSorted((one, other) => one - other)).toEqual(Array.from({ length: numbers.length }, (_, n) => n));
    expect(toValkey.swallowed).toBe(1);
    await worker.stop();
  });

  test.each(["cut", "stall"] as const)(
    "to the script that settles and takes (then %s) loses and repeats nothing",
    async (andThen) => {
      const queue = keyline.queue<N>(nextName(), { transactional: true, lease: 2_000 });
      await queue.addMany(Array.from({ length: 30 }, (_, n) => ({ data: { n } })));
      const hash = await settleHash();
      toValkey.swallowReply(containing("evalsha", hash), { andThen, times: 3 });
      const { ran, stop } = workWithEffects(queue);
      await eventually("every job has its effect", async () => (await effectsOf(queue.name)).length >= 30, 60_000);
      expect(await effectsOf(queue.name)).toEqual(Array.from({ length: 30 }, (_, n) => n));
      await expectNothingLeft(queue);
      expect(toValkey.swallowed).toBe(3);
      expect(ran.length).toBeGreaterThanOrEqual(30);
      await stop();
    },
    90_000,
  );

  test("to the COMMIT of a settle: the effect happens once, and the worker finds out", async () => {
    const queue = keyline.queue<N>(nextName(), { transactional: true });
    await queue.addMany(Array.from({ length: 10 }, (_, n) => ({ data: { n } })));
    await eventually("all deliveries are noted", async () => {
      const { rows } = await stage.pool.query("SELECT FROM keyline.job WHERE queue = $1 AND delivered_to IS NULL", [queue.name]);
      return rows.length === 0;
    });
    toPostgres.swallowReply(containing("COMMIT"), { times: 4 });
    const { stop } = workWithEffects(queue);
    await eventually("every job has its effect", async () => (await effectsOf(queue.name)).length >= 10, 60_000);
    await expectNothingLeft(queue);
    expect(await effectsOf(queue.name)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(toPostgres.swallowed).toBe(4);
    await stop();
  }, 90_000);

  test("to the COMMIT of keyline.transaction: it asks, and tells the truth", async () => {
    const queue = keyline.queue<N>(nextName(), { transactional: true });
    await quiet(queue.name);
    toPostgres.swallowReply(containing("COMMIT"));
    const added = await keyline.transaction((tx) => queue.add({ n: 1 }, { tx }));
    expect(added.added).toBe(true);
    expect(toPostgres.swallowed).toBe(1);
    expect((await stage.pool.query("SELECT id FROM keyline.job WHERE queue = $1", [queue.name])).rows).toEqual([{ id: added.id }]);
    // Without a job in it nothing can be asked for.
    toPostgres.swallowReply(containing("COMMIT"));
    await expect(keyline.transaction((tx) => tx.query("INSERT INTO effects VALUES ('other', 1)"))).rejects.toMatchObject({
      code: "OUTCOME_UNKNOWN",
    });
    expect(await effectsOf("other")).toEqual([1]);
    // Cut before COMMIT arrives: the server rolls back.
    toPostgres.cutBeforeForward(containing("COMMIT"));
    await expect(keyline.transaction((tx) => queue.add({ n: 2 }, { tx }))).rejects.toMatchObject({ code: "POSTGRES_UNAVAILABLE" });
    expect(toPostgres.cuts).toBeGreaterThanOrEqual(1);
    const { ran, stop } = workWithEffects(queue);
    await eventually("the committed job ran", () => ran.length === 1);
    await expectNothingLeft(queue);
    expect(ran).toEqual([1]);
    await stop();
  }, 60_000);

  test("to an add of a plain queue is reported as unknown, and adding again with an own id adds nothing twice", async () => {
    const queue = keyline.queue<N>(nextName());
    await queue.add({ n: 0 }, { id: "zero" });
    toValkey.swallowReply(containing("order-1"));
    await expect(queue.add({ n: 1 }, { id: "order-1" })).rejects.toMatchObject({ code: "OUTCOME_UNKNOWN" });
    expect(toValkey.swallowed).toBe(1);
    expect(await queue.add({ n: 1 }, { id: "order-1" })).toEqual({ id: "order-1", added: false });
  });

  test("to an INSERT of a transactional queue: the rows tell", async () => {
    const queue = keyline.queue<N>(nextName(), { transactional: true });
    await queue.add({ n: 0 });
    toPostgres.swallowReply(containing("keyline-insert", queue.name));
    const { id, added } = await queue.add({ n: 1 });
    expect(toPostgres.swallowed).toBe(1);
    expect(added).toBe(true);
    expect((await stage.pool.query("SELECT id FROM keyline.job WHERE queue = $1 AND data->>'n' = '1'", [queue.name])).rows).toEqual([
      { id },
    ]);
  }, 60_000);

  test.each<{ readonly window?: number }>([{}, { window: 60_000 }])(
    "to a deduplicated add of a plain queue is reported as unknown, and the key tells the next one (window: $window)",
    async ({ window }) => {
      const queue = keyline.queue<N>(nextName());
      const deduplicate = window === undefined ? { key: "once-key" } : { key: "once-key", window };
      await queue.add({ n: 0 });
      toValkey.swallowReply(containing("once-key"));
      await expect(queue.add({ n: 1 }, { deduplicate })).rejects.toMatchObject({ code: "OUTCOME_UNKNOWN" });
      expect(toValkey.swallowed).toBe(1);
      const again = await queue.add({ n: 2 }, { deduplicate });
      expect(again.added).toBe(false);
      const ran: string[] = [];
      const worker = queue.work(({ id, data }) => void ran.push(`${data.n} ${data.n === 1 ? id : ""}`));
      await eventually("both have run", () => ran.length === 2);
      // The id that was told is that of the job whose answer was lost.
      expect(new Set(ran)).toEqual(new Set(["0 ", `1 ${again.id}`]));
      await worker.stop();
    },
  );

  test("to a debounced add of a plain queue is reported as unknown, and what comes next replaces it all the same", async () => {
    const queue = keyline.queue<N>(nextName());
    const latest = { deduplicate: { key: "latest-key", window: 500, keep: "latest" } } as const;
    await queue.add({ n: 0 });
    toValkey.swallowReply(containing("latest-key"));
    await expect(queue.add({ n: 1 }, latest)).rejects.toMatchObject({ code: "OUTCOME_UNKNOWN" });
    expect(toValkey.swallowed).toBe(1);
    const acknowledged = await queue.add({ n: 2 }, latest);
    const ran: number[] = [];
    const worker = queue.work(({ data }) => void ran.push(data.n));
    await eventually("the last one ran", () => ran.includes(2));
    // Where this machine took longer than the window the first has run as well, and the second is a job of its own.
    if (!acknowledged.added) expect(ran).not.toContain(1);
    await worker.stop();
  });

  test.each([
    { what: "the first", deduplicate: { key: "k" } },
    { what: "the first of a window", deduplicate: { key: "k", window: 60_000 } },
    { what: "the latest", deduplicate: { key: "k", window: 60_000, keep: "latest" } },
  ] as const)("to a deduplicated add of a transactional queue: the rows tell, or it is unknown ($what)", async ({ deduplicate }) => {
    const queue = keyline.queue<N>(nextName(), { transactional: true });
    await queue.add({ n: 0 });
    toPostgres.swallowReply(containing("keyline-add-once", queue.name));
    const answer = await queue.add({ n: 1 }, { deduplicate }).catch((error: unknown) => (error as { code?: string }).code);
    expect(toPostgres.swallowed).toBe(1);
    const rows = async (): Promise<{ id: string; n: string }[]> =>
      (
        await stage.pool.query<{ id: string; n: string }>(
          "SELECT id, data->>'n' AS n FROM keyline.job WHERE queue = $1 AND data->>'n' <> '0'",
          [queue.name],
        )
      ).rows;
    const [there, ...others] = await rows();
    expect(others).toEqual([]);
    expect(there?.n).toBe("1");
    if (answer !== "OUTCOME_UNKNOWN") expect(answer).toEqual({ id: there?.id, added: true });
    // Whatever it was told, the key is held by what is there.
    expect(await queue.add({ n: 2 }, { deduplicate })).toEqual({ id: there?.id, added: false });
    expect(await rows()).toEqual([{ id: there?.id, n: "keep" in deduplicate ? "2" : "1" }]);
  });

  test("in slices of a few bytes both ways changes nothing", async () => {
    toValkey.sliceBytes(3);
    toPostgres.sliceBytes(7);
    const queue = keyline.queue<N>(nextName(), { transactional: true });
    const { stop } = workWithEffects(queue);
    await queue.addMany(Array.from({ length: 20 }, (_, n) => ({ data: { n } })));
    await eventually("every job has its effect", async () => (await effectsOf(queue.name)).length === 20);
    await expectNothingLeft(queue);
    await stop();
  });
});

describe("an outage", () => {
  /** When the leases of the queue's workers end, in milliseconds of the server, which runs on this machine. */
  async function leaseEnds(queue: string): Promise<number[]> {
    const scores = await stage.valkey.zrange(`${stage.prefix}:{${queue}}:workers`, 0, -1, "WITHSCORES");
    return scores.filter((_, index) => index % 2 === 1).map(Number);
  }

  const failedPushes = (queue: string): number =>
    stage.log.filter(
      ({ message, details }) => message.startsWith("committed jobs could not be pushed") && "queue" in details && details.queue === queue,
    ).length;

  test("a half-open connection is noticed, and the worker goes on", async () => {
    const queue = keyline.queue<N>(nextName(), { lease: 1_000 });
    const seen: number[] = [];
    const idle = gate();
    const worker = queue.work((job) => void seen.push(job.data.n));
    worker.on("idle", () => idle.open());
    await idle.opened;
    toValkey.stallAll();
    const direct = stage.keyline().queue<N>(queue.name);
    await direct.add({ n: 1 });
    expect(toValkey.stalls).toBeGreaterThanOrEqual(2);
    // The connections of this moment stay stalled; new ones pass.
    toValkey.passAll();
    await eventually("the job ran", () => seen.includes(1), 30_000);
    await eventually("nothing is left", async () => (await direct.counts()).running === 0);
    await worker.stop();
  }, 60_000);

  test("Valkey away for longer than any block timeout: transactional adds commit, and are delivered by themselves", async () => {
    const queue = keyline.queue<N>(nextName(), { transactional: true, lease: 1_000 });
    const { ran, stop } = workWithEffects(queue);
    await queue.add({ n: 0 });
    await eventually("the first job ran", () => ran.length === 1);
    await toValkey.refuse(true);
    toValkey.cutAll();
    // The worker blocks for half of its lease at the most.
    await eventually("the worker's lease has ended", async () => (await leaseEnds(queue.name)).every((end) => end < Date.now()));
    for (let n = 1; n <= 5; n++) await queue.add({ n });
    await keyline.transaction((tx) => queue.add({ n: 6 }, { tx }));
    await eventually("the pushes have failed", () => failedPushes(queue.name) >= 6);
    await toValkey.refuse(false);
    await eventually("every job has its effect", async () => (await effectsOf(queue.name)).length >= 7);
    await expectNothingLeft(queue);
    expect(await effectsOf(queue.name)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    await stop();
  }, 60_000);

  test("Valkey away at the start: workers begin when it is there, and a plain add says that nothing was sent", async () => {
    await toValkey.refuse(true);
    toValkey.cutAll();
    const late = stage.keyline({ valkey: `valkey://127.0.0.1:${toValkey.port}` });
    const queue = late.queue<N>(nextName());
    const seen: number[] = [];
    const worker = queue.work((job) => void seen.push(job.data.n));
    await expect(queue.add({ n: 1 })).rejects.toMatchObject({ code: "VALKEY_UNAVAILABLE" });
    await toValkey.refuse(false);
    await eventually("the add works", () =>
      queue.add({ n: 2 }).then(
        () => true,
        () => false,
      ),
    );
    await eventually("the job ran", () => seen.length === 1);
    expect(seen).toEqual([2]);
    await worker.stop();
  }, 60_000);

  test("PostgreSQL away: workers stop taking, no attempt is spent, and they go on by themselves", async () => {
    const queue = keyline.queue<N>(nextName(), { transactional: true, lease: 1_000 });
    const started = gate();
    const release = gate();
    const attempts: number[] = [];
    const worker = queue.work(async (job, { settle }) => {
      attempts.push(job.attempt);
      started.open();
      await release.opened;
      await settle(async (tx) => void (await tx.query("INSERT INTO effects VALUES ($1, $2)", [queue.name, job.data.n])));
    });
    await queue.addMany(Array.from({ length: 5 }, (_, n) => ({ data: { n } })));
    await started.opened;
    await toPostgres.refuse(true);
    toPostgres.cutAll();
    release.open();
    await expect(queue.add({ n: 9 })).rejects.toMatchObject({
      code: expect.stringMatching(/POSTGRES_UNAVAILABLE|OUTCOME_UNKNOWN/) as string,
    });
    // With every renewal the worker looks whether it could take a job.
    const [first = 0] = await leaseEnds(queue.name);
    await eventually("the lease was renewed three times", async () => ((await leaseEnds(queue.name))[0] ?? 0) > first + 700);
    expect(attempts).toHaveLength(1);
    expect(await effectsOf(queue.name)).toEqual([]);
    await toPostgres.refuse(false);
    await eventually("every job has its effect", async () => (await effectsOf(queue.name)).length >= 5);
    expect(await effectsOf(queue.name)).toEqual([0, 1, 2, 3, 4]);
    expect(attempts).toEqual([1, 1, 1, 1, 1]);
    await expectNothingLeft(queue);
    await worker.stop();
  }, 60_000);
});

describe("a rebuild", () => {
  test("after FLUSHALL delivers every unsettled job again, in order, within seconds", async () => {
    const queue = keyline.queue<N>(nextName(), { transactional: true });
    await queue.addMany(Array.from({ length: 3_000 }, (_, n) => ({ data: { n } })));
    await noted(queue.name, 3_000);
    await stage.valkey.del(...(await stage.valkey.keys(`${stage.prefix}:{${queue.name}}:*`)));
    const key = `${stage.prefix}:{${queue.name}}:waiting`;
    await eventually("all are there again", async () => (await stage.valkey.llen(key)) === 3_000);
    const numbers = (await stage.valkey.lrange(key, 0, -1)).map((raw) => (JSON.parse(raw) as { data: N }).data.n);
    expect(numbers.toReversed()).toEqual(Array.from({ length: 3_000 }, (_, n) => n));
    await noted(queue.name, 3_000);
  });

  test("when only the epoch changed pushes nothing", async () => {
    const queue = keyline.queue<N>(nextName(), { transactional: true });
    await queue.addMany(Array.from({ length: 2_500 }, (_, n) => ({ data: { n } })));
    await noted(queue.name, 2_500);
    const before = await epochOf(queue.name);
    await stage.valkey.set(`${stage.prefix}:{${queue.name}}:epoch`, "another-run:another-tag");
    await eventually("the epoch is another one", async () => (await epochOf(queue.name)) !== before);
    await noted(queue.name, 2_500);
    expect(await stage.valkey.llen(`${stage.prefix}:{${queue.name}}:waiting`)).toBe(2_500);
  });

  test("brings back jobs that wait for their next attempt, with their attempts and their due time", async () => {
    const queue = keyline.queue<N>(nextName(), { transactional: true, backoff: { type: "fixed", delay: 3_000, jitter: 0 } });
    const attempts: number[] = [];
    const retried = gate();
    const done = gate();
    const worker = queue.work((job) => {
      attempts.push(job.attempt);
      if (job.attempt === 1) throw new Error("later");
      done.open();
    });
    worker.on("retried", () => retried.open());
    await queue.add({ n: 1 });
    await retried.opened;
    await noted(queue.name, 1);
    await stage.valkey.del(...(await stage.valkey.keys(`${stage.prefix}:{${queue.name}}:*`)));
    await done.opened;
    expect(attempts).toEqual([1, 2]);
    await worker.stop();
  });

  async function epochOf(queue: string): Promise<string | undefined> {
    const { rows } = await stage.pool.query<{ rebuilt_epoch: string }>("SELECT rebuilt_epoch FROM keyline.queue WHERE name = $1", [queue]);
    return rows[0]?.rebuilt_epoch;
  }

  async function noted(queue: string, count: number): Promise<void> {
    await eventually("all deliveries are noted", async () => {
      const { rows } = await stage.pool.query<{ count: string }>(
        "SELECT count(*) FROM keyline.job JOIN keyline.queue ON queue.name = job.queue WHERE job.queue = $1 AND delivered_to = epoch",
        [queue],
      );
      return Number(rows[0]?.count) === count;
    });
  }
});

/** The hash under which the script that settles one job and takes the next is known to the server: its calls are the only ones with it. */
async function settleHash(): Promise<string> {
  const { readFile } = await import("node:fs/promises");
  const { createHash } = await import("node:crypto");
  const texts = await Promise.all(
    ["settle-oldest", "let-go", "take"].map((file) =>
      readFile(new URL(`../../src/valkey/queue/scripts/${file}.lua`, import.meta.url), "utf8"),
    ),
  );
  return createHash("sha1").update(texts.join("\n")).digest("hex");
}

test("the pool of a caller's own is used as it is, and not ended", async () => {
  const pool = new pg.Pool({ connectionString: stage.databaseUrl, max: 4 });
  const own = stage.keyline({ postgres: pool });
  const queue = own.queue<N>(nextName(), { transactional: true });
  const { ran, stop } = workWithEffects(queue);
  await queue.add({ n: 1 });
  await eventually("the job ran", () => ran.length === 1);
  await stop();
  await own.close();
  expect((await pool.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
  await pool.end();
});
