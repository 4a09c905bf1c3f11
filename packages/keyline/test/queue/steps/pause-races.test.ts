import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test } from "vitest";
import type { Keyline, Queue } from "keyline";
import { eventually, gate, openQuietStage, openStage, type Stage } from "../../support/stage.ts";
import { containing, startWireProxy, targetOf, through, type WireProxy } from "../../support/wire-proxy.ts";

let stage: Stage;
let toValkey: WireProxy;
let toPostgres: WireProxy;
let slow: Keyline;

beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());
beforeEach(async () => {
  toValkey = await startWireProxy({ target: targetOf(inject("valkeyUrl")) });
  toPostgres = await startWireProxy({ target: targetOf(stage.databaseUrl) });
  slow = stage.keyline({ valkey: through(stage.valkeyUrl, toValkey), postgres: through(stage.databaseUrl, toPostgres) });
});
afterEach(async () => {
  toValkey.passAll();
  toPostgres.passAll();
  await slow.close();
  await toValkey.stop();
  await toPostgres.stop();
});

const options = { transactional: true, lease: 1_000 } as const;
let names = 0;
const nextName = (): string => `pause${names++}`;

interface Row {
  readonly parked: string | null;
  readonly parks: number | null;
  readonly attempts: number;
  readonly delivered_to: string | null;
}

async function rowOf(queue: string): Promise<Row | undefined> {
  const text = "SELECT parked, parks, attempts, delivered_to FROM keyline.job WHERE queue = $1 ORDER BY seq";
  return (await stage.pool.query<Row>(text, [queue])).rows[0];
}

const parkedRow = (queue: string): Promise<void> => eventually("the row is parked", async () => (await rowOf(queue))?.parked != null);

async function expectNothingLeft(of: Pick<Stage, "pool" | "valkey" | "prefix">, queue: string): Promise<void> {
  await eventually(
    "no row is left",
    async () => (await of.pool.query("SELECT FROM keyline.job WHERE queue = $1", [queue])).rowCount === 0,
    60_000,
  );
  const base = `${of.prefix}:{${queue}}`;
  const left = async (): Promise<string[]> => [
    ...(await of.valkey.zrange(`${base}:scheduled`, 0, -1)),
    ...(await of.valkey.lrange(`${base}:waiting`, 0, -1)),
  ];
  await eventually("no element is left", async () => (await left()).length === 0).catch(async (error: unknown) => {
    throw new Error(`elements are left: ${(await left()).join("\n")}`, { cause: error });
  });
  expect((await of.pool.query("SELECT FROM keyline.step WHERE queue = $1", [queue])).rowCount).toBe(0);
  expect((await of.pool.query("SELECT FROM keyline.job_signal WHERE queue = $1", [queue])).rowCount).toBe(0);
}

/** A worker of this queue that takes no job but those that others have left. */
function workOn<Data>(queue: Queue<Data, Data, true>, handler: Parameters<typeof queue.work>[0]): { readonly stop: () => Promise<void> } {
  const worker = queue.work(handler);
  worker.on("error", () => undefined);
  return worker;
}

test("a worker that is cut off once the row is parked: the relay brings the job, its old element is dropped, and no attempt is counted", async () => {
  const name = nextName();
  const attempts: number[] = [];
  const begun = gate();
  const goOn = gate();
  const cut = workOn(slow.queue<number>(name, options), async (job) => {
    attempts.push(job.attempt);
    begun.open();
    await goOn.opened;
    await job.sleep("nap", 1_500);
  });
  const queue = stage.keyline().queue<number>(name, options);
  await queue.add(1);
  await begun.opened;
  toValkey.stallAll();
  goOn.open();
  await parkedRow(name);
  const ended = gate();
  const other = workOn(queue, async (job) => {
    attempts.push(job.attempt);
    await job.sleep("nap", 1_500);
    ended.open();
  });
  await ended.opened;
  await expectNothingLeft(stage, name);
  expect(attempts).toEqual([1, 1]);
  await other.stop();
  toValkey.passAll();
  toValkey.cutAll();
  await cut.stop();
}, 60_000);

test("a signal that comes between the row and the schedule wakes the job, and the element that comes late goes", async () => {
  const name = nextName();
  const given: unknown[] = [];
  const begun = gate();
  const goOn = gate();
  const released = gate();
  const worker = workOn(slow.queue<number>(name, options), async (job) => {
    begun.open();
    await goOn.opened;
    given.push(await job.signalled("go"));
  });
  const queue = stage.keyline().queue<number>(name, options);
  const { id } = await queue.add(1);
  await begun.opened;
  // What the worker sends next, to put the element on the schedule, is on its way for as long as the test says.
  toValkey.holdRequest(containing(`"parks":1`), released.opened);
  goOn.open();
  await eventually("the row is parked, and the schedule is on its way", async () => (await rowOf(name))?.parks === 1 && toValkey.held > 0);
  expect(await queue.signal(id, "go", 7)).toBe(true);
  released.open();
  await eventually("it ran", () => given.length > 0);
  await expectNothingLeft(stage, name);
  expect(given).toEqual([7]);
  await worker.stop();
}, 60_000);

test("whoever signals dies before the job is awake: the relay wakes it, and its old element goes", async () => {
  const name = nextName();
  const given: unknown[] = [];
  const queue = stage.keyline().queue<number>(name, options);
  const worker = workOn(queue, async (job) => void given.push(await job.signalled("go")));
  const { id } = await queue.add(1);
  await eventually("it is parked", async () => (await stage.valkey.zcard(`${stage.prefix}:{${name}}:scheduled`)) === 1);
  // All that the signal does in PostgreSQL, and nothing on Valkey.
  await stage.pool.query("SELECT keyline.signal_job($1, $2, 'go', '\"late\"', 256)", [name, id]);
  await eventually("it ran", () => given.length > 0);
  await expectNothingLeft(stage, name);
  expect(given).toEqual(["late"]);
  await worker.stop();
});

test.each(["cut", "stall"] as const)(
  "an answer to the parking that is swallowed (then %s) changes nothing",
  async (andThen) => {
    const name = nextName();
    let runs = 0;
    const queue = slow.queue<number>(name, options);
    toPostgres.swallowReply(containing("keyline-park"), { andThen });
    const worker = workOn(queue, async (job) => {
      runs++;
      await job.sleep("nap", 700);
    });
    await queue.add(1);
    await eventually("it is parked", async () => (await rowOf(name))?.parks === 1);
    await expectNothingLeft(stage, name);
    expect(toPostgres.swallowed).toBe(1);
    // With the silent one the sleep is over when the question is asked again.
    expect(runs).toBeGreaterThanOrEqual(andThen === "cut" ? 2 : 1);
    await worker.stop();
  },
  90_000,
);

test("an answer to a signal that is swallowed: it wakes the job all the same, and can be sent again", async () => {
  const name = nextName();
  const given: unknown[] = [];
  const queue = stage.keyline().queue<number>(name, options);
  const held = gate();
  const worker = workOn(queue, async (job) => {
    given.push(await job.signalled("go"));
    await held.opened;
  });
  const { id } = await queue.add(1);
  await eventually("it is parked", async () => (await stage.valkey.zcard(`${stage.prefix}:{${name}}:scheduled`)) === 1);
  toPostgres.swallowReply(containing("keyline-signal"));
  const far = slow.queue<number>(name, options);
  await expect(far.signal(id, "go", 1)).rejects.toMatchObject({ code: "POSTGRES_UNAVAILABLE" });
  expect(toPostgres.swallowed).toBe(1);
  await eventually("it ran", () => given.length > 0);
  expect(await far.signal(id, "go", 2)).toBe(true);
  held.open();
  await expectNothingLeft(stage, name);
  expect(given).toEqual([1]);
  await worker.stop();
});

test("signals that race with the waits of 200 jobs, also of groups: none is lost, and nothing is left", async () => {
  const name = nextName();
  const queue = stage.keyline().queue<number>(name, options);
  const given = new Map<number, unknown>();
  const order: number[] = [];
  const worker = queue.work(
    async (job) => {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 15));
      given.set(job.data, await job.signalled("go"));
      order.push(job.data);
    },
    { concurrency: 20 },
  );
  worker.on("error", () => undefined);
  const added = await queue.addMany(Array.from({ length: 200 }, (_, n) => (n % 4 === 0 ? { data: n, group: `g${n % 3}` } : { data: n })));
  await Promise.all(
    added.map(async ({ id }, n) => {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 400));
      expect(await queue.signal(id, "go", n)).toBe(true);
    }),
  );
  await expectNothingLeft(stage, name);
  expect(given.size).toBe(200);
  for (const [n, value] of given) expect(value).toBe(n);
  for (const group of [0, 1, 2]) {
    const members = order.filter((n) => n % 4 === 0 && n % 3 === group);
    expect(members).toEqual(members.toSorted((one, other) => one - other));
  }
  await worker.stop();
}, 60_000);

test("a job of a group keeps its turn while it sleeps and waits", async () => {
  const name = nextName();
  const queue = stage.keyline().queue<number>(name, options);
  const log: string[] = [];
  const worker = queue.work(
    async (job) => {
      log.push(`${job.data} begins`);
      if (job.data === 1) {
        await job.sleep("nap", 100);
        log.push("1 slept");
        await job.signalled("go");
      }
      log.push(`${job.data} ends`);
    },
    { concurrency: 5 },
  );
  const { id } = await queue.add(1, { group: "a" });
  await queue.add(2, { group: "a" });
  await queue.add(3, { group: "b" });
  await eventually("it has slept", async () => log.includes("1 slept") && (await rowOf(name))?.parked === "signal");
  await queue.signal(id, "go");
  await expectNothingLeft(stage, name);
  expect(log.filter((line) => !line.startsWith("3"))).toEqual([
    "1 begins",
    "1 begins",
    "1 slept",
    "1 begins",
    "1 slept",
    "1 ends",
    "2 begins",
    "2 ends",
  ]);
  await worker.stop();
}, 60_000);

test("Valkey loses everything while jobs are parked: they are there again, sleep for the rest of their time, and are woken", async () => {
  const quiet = await openQuietStage();
  const keyline = quiet.keyline();
  await keyline.migrate();
  const queue = keyline.queue<string>("lost", options);
  const ended: string[] = [];
  const worker = queue.work(
    async (job) => {
      if (job.data === "sleeps") await job.sleep("nap", 10_000);
      else await job.signalled("go");
      ended.push(job.data);
    },
    { concurrency: 5 },
  );
  worker.on("error", () => undefined);
  await queue.add("sleeps");
  const { id } = await queue.add("waits");
  const scheduled = `${quiet.prefix}:{lost}:scheduled`;
  await eventually("both are parked", async () => (await quiet.valkey.zcard(scheduled)) === 2);
  await quiet.valkey.flushall();
  await eventually("both are there again", async () => (await quiet.valkey.zcard(scheduled)) === 2, 30_000);
  expect(ended).toEqual([]);
  await queue.signal(id, "go");
  await eventually("both have ended", () => ended.length === 2, 30_000);
  expect(ended.toSorted()).toEqual(["sleeps", "waits"]);
  await expectNothingLeft(quiet, "lost");
  await worker.stop();
  await quiet.close();
}, 90_000);

test("Valkey loses everything while a job of a group is parked, and another one takes its turn: it is woken, and the group goes on", async () => {
  const quiet = await openQuietStage();
  const keyline = quiet.keyline();
  await keyline.migrate();
  const queue = keyline.queue<string>("turns", options);
  const ended: string[] = [];
  const held = gate();
  const worker = queue.work(
    async (job) => {
      if (job.data === "waits") await job.signalled("go");
      if (job.data === "takes its turn") await held.opened;
      ended.push(job.data);
    },
    { concurrency: 5 },
  );
  worker.on("error", () => undefined);
  const base = `${quiet.prefix}:{turns}`;
  const { id } = await queue.add("waits", { group: "g" });
  await eventually("it is parked", async () => (await quiet.valkey.zcard(`${base}:scheduled`)) === 1);
  await quiet.valkey.flushall();
  await queue.add("takes its turn", { group: "g" });
  await eventually("it is there again, in the line", async () => (await quiet.valkey.zcard(`${base}:line:g`)) === 1, 30_000);
  expect(await queue.signal(id, "go")).toBe(true);
  await queue.add("comes later", { group: "g" });
  held.open();
  await eventually("all have ended", () => new Set(ended).size === 3, 30_000);
  await expectNothingLeft(quiet, "turns");
  await eventually("nobody stands in the line", async () => (await queue.counts()).blocked === 0);
  await worker.stop();
  await quiet.close();
}, 120_000);

test("a job that is parked can be cancelled: nothing of it is left", async () => {
  const name = nextName();
  const queue = stage.keyline().queue<number>(name, options);
  const worker = workOn(queue, (job) => (job.data === 1 ? job.sleep("nap", 600_000) : job.signalled("go")));
  const added = await queue.addMany([{ data: 1 }, { data: 2 }]);
  await eventually("both are parked", async () => (await stage.valkey.zcard(`${stage.prefix}:{${name}}:scheduled`)) === 2);
  for (const { id } of added) {
    expect(await queue.cancel(id)).toBe("scheduled");
    expect(await queue.signal(id, "go")).toBe(false);
  }
  await expectNothingLeft(stage, name);
  await worker.stop();
});

test("of one whose cancel did not come to its end nothing is counted any more", async () => {
  const name = nextName();
  const queue = stage.keyline().queue<number>(name, options);
  const worker = workOn(queue, (job) => job.signalled("go"));
  const { id } = await queue.add(1);
  await eventually("it is parked", async () => (await queue.counts()).parked === 1);
  // Its caller dies here.
  await stage.pool.query("SELECT keyline.cancel_jobs($1, ARRAY[$2], 3600000)", [name, id]);
  expect((await queue.counts()).parked).toBe(0);
  await worker.stop();
});
