import fc from "fast-check";
import type { Keyline, Queue, Transaction } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isEmpty } from "../../support/is-empty.ts";
import { eventually, gate, openQuietStage, type Stage } from "../../support/stage.ts";
import { startWireProxy, targetOf, through, type WireProxy } from "../../support/wire-proxy.ts";

let stage: Stage;
let proxy: WireProxy;
let keyline: Keyline;

beforeAll(async () => {
  stage = await openQuietStage();
  proxy = await startWireProxy({ target: targetOf(stage.valkeyUrl) });
  keyline = stage.keyline();
  await keyline.migrate();
  await stage.pool.query("CREATE TABLE effects (id text, version integer)");
});

afterAll(async () => {
  await stage.close();
  await proxy.stop();
});

const keyOf = (name: string, key: string): string => `${stage.prefix}:{${name}}:${key}`;

/** Of a queue that does not come to its end, where its jobs are. */
async function describeLeft(queue: { readonly name: string; counts: Queue<number>["counts"] }): Promise<string> {
  const { rows } = await stage.pool.query(
    "SELECT id, state, attempts, due_at - now() AS due, delivered_to, is_latest, group_name FROM keyline.job WHERE queue = $1",
    [queue.name],
  );
  const scheduled = await stage.valkey.zrange(keyOf(queue.name, "scheduled"), 0, -1, "WITHSCORES");
  return JSON.stringify({ counts: await queue.counts(), rows, scheduled });
}

const undone = new Error("rolled back");

/** Changes it by itself or in a transaction; undefined where that was rolled back. */
async function changeWithin<Result>(
  how: "none" | "commit" | "rollback",
  change: (options: { readonly tx?: Transaction }) => Promise<Result>,
): Promise<Result | undefined> {
  if (how === "none") return change({});
  const changed = keyline.transaction(async (tx) => {
    const result = await change({ tx });
    if (how === "rollback") throw undone;
    return result;
  });
  return changed.catch((error: unknown) => {
    if (error === undone) return undefined;
    throw error;
  });
}

/** What is done with one job, in order: pauses in milliseconds, and changes. */
const scripts = fc.array(
  fc.record({
    pause: fc.integer({ min: 0, max: 6 }),
    delay: fc.option(fc.integer({ min: 0, max: 25 }), { nil: undefined }),
    priority: fc.option(fc.constantFrom("high", "normal", "low"), { nil: undefined }),
    promotes: fc.boolean(),
    // On a transactional queue: in a transaction, which is committed or rolled back.
    within: fc.constantFrom("none", "none", "commit", "rollback"),
  }),
  { minLength: 1, maxLength: 4 },
);
const jobs = fc.record({
  group: fc.option(fc.constantFrom("g", "h"), { nil: undefined }),
  delay: fc.option(fc.integer({ min: 1, max: 20 }), { nil: undefined }),
  fails: fc.boolean(),
  script: scripts,
});

describe.each([{ transactional: false }, { transactional: true }])("update (transactional: $transactional)", ({ transactional }) => {
  const open = (on: Keyline, name: string): Queue<number> =>
    on.queue<number>(`${name}-${transactional}`, { transactional, lease: 2_000, backoff: () => 5 } as { transactional: false });

  test("at random beside workers: each attempt has the data of the last change before it, and each job runs to its end", async () => {
    let round = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(jobs, { minLength: 20, maxLength: 60 }), async (plan) => {
        const name = `random-${round++}`;
        const queue = open(keyline, name);
        const seen = new Map<string, number[]>();
        const completed = new Map<string, number>();
        const workers = [1, 2].map(() => {
          const worker = open(stage.keyline(), name).work(
            async ({ id, data, attempt }) => {
              seen.set(id, [...(seen.get(id) ?? []), data]);
              await new Promise((resolve) => setTimeout(resolve, Math.random() * 3));
              if (attempt === 1 && plan[Number(id)]?.fails) throw new Error("once more");
            },
            { concurrency: 3 },
          );
          worker.on("completed", ({ id, data }) => completed.set(id, data));
          worker.on("error", () => undefined);
          return worker;
        });
        const changed = new Map<string, number>();
        await Promise.all(
          plan.map(async ({ group, delay, script }, index) => {
            const id = String(index);
            await queue.add(0, { id, ...(group && { group }), ...(delay && { delay }) });
            let version = 0;
            for (const { pause, promotes, within, ...rest } of script) {
              await new Promise((resolve) => setTimeout(resolve, pause));
              const changes = { data: ++version, ...Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)) };
              const result = await changeWithin(transactional ? within : "none", async (options) => {
                if (promotes) await queue.promote(id, options);
                return queue.update(id, changes, options);
              });
              if (result?.updated) changed.set(id, version);
              else if (result) expect(["running", "unknown", "waiting"]).toContain(result.state);
            }
          }),
        );
        await eventually("nothing is left", () => isEmpty(queue), 60_000).catch(async (error: unknown) => {
          throw new Error(await describeLeft(queue), { cause: error });
        });
        await Promise.all(workers.map((worker) => worker.stop()));
        for (const id of Array.from(plan.keys(), String)) {
          const attempts = seen.get(id) ?? [];
          expect([id, completed.get(id), attempts.at(-1)]).toEqual([id, changed.get(id) ?? 0, changed.get(id) ?? 0]);
          expect([id, attempts.toSorted((one, other) => one - other)]).toEqual([id, attempts]);
        }
        expect(await stage.valkey.exists(...["ids", "grouped", "lines", "stubs"].map((key) => keyOf(queue.name, key)))).toBe(0);
        if (transactional) {
          const { rowCount } = await stage.pool.query("SELECT FROM keyline.job WHERE queue = $1", [queue.name]);
          expect(rowCount).toBe(0);
        }
      }),
      { numRuns: Number(process.env["UPDATES"] ?? 6), endOnFailure: true },
    );
    // Jobs of a group go one by one, with a failed attempt each: on a machine with ten others at work a round takes ten seconds.
  }, 240_000);

  test("whose answer from Valkey gets lost is done once more, and says so", async () => {
    const through = stage.keyline({ valkey: `valkey://127.0.0.1:${proxy.port}` });
    const queue = open(through, "lost");
    const { id } = await queue.add(1, { delay: 60_000 });
    await eventually("it is there", async () => (await queue.counts()).scheduled === 1);
    // The first of each connection goes by its hash; the server has it from here on.
    await queue.update(id, { data: 2 });
    const swallowed = proxy.swallowed;
    proxy.swallowReply((bytes) => bytes.toString("latin1").includes("\r\ndelay\r\n"));
    const updating = queue.update(id, { data: 3, delay: 50_000 });
    expect(await updating).toEqual({ updated: true, state: "scheduled" });
    expect(await queue.job(id)).toMatchObject({ data: 3, state: "scheduled" });
    expect(await queue.counts()).toMatchObject({ scheduled: 1, waiting: 0 });
    expect(proxy.swallowed).toBe(swallowed + 1);
  });
});

test.each([{ running: "the first" }, { running: "the second" }])(
  "a job that was delivered twice is running while $running of its elements is with a worker",
  async ({ running }) => {
    const queue = keyline.queue<number>(`twice ${running}`.replaceAll(" ", "-"), { transactional: true });
    const waiting = keyOf(queue.name, "waiting");
    const { id } = await queue.add(1);
    await eventually("it is there", async () => (await stage.valkey.llen(waiting)) === 1);
    const [first = ""] = await stage.valkey.lrange(waiting, 0, -1);
    const second = first.replace(',"data":', ',"again":true,"data":');
    // The one at the tail of the list is taken.
    await (running === "the first" ? stage.valkey.lpush(waiting, second) : stage.valkey.rpush(waiting, second));
    const begun = gate();
    const end = gate();
    const seen: number[] = [];
    const worker = queue.work(async ({ data }, { settle }) => {
      seen.push(data);
      begun.open();
      await end.opened;
      await settle(async () => undefined);
    });
    await begun.opened;
    expect(await queue.update(id, { data: 2 })).toEqual({ updated: false, state: "running" });
    end.open();
    await eventually("nothing is left", () => isEmpty(queue));
    expect(seen).toEqual([1]);
    await worker.stop();
  },
);

test("what was changed counts in every attempt, also where an element goes on that knows nothing of it", async () => {
  const queue = keyline.queue<number>("unmarked", { transactional: true, backoff: () => 5 });
  const { id } = await queue.add(1, { delay: 60_000, group: "g" });
  const scheduled = keyOf(queue.name, "scheduled");
  await eventually("it is there", async () => (await stage.valkey.zcard(scheduled)) === 1);
  const [element = "", due = ""] = await stage.valkey.zrange(scheduled, 0, 0, "WITHSCORES");
  expect(await queue.update(id, { data: 2 })).toEqual({ updated: true, state: "scheduled" });
  // As where this one was still on its way, and another one was found.
  await stage.valkey.del(scheduled);
  await stage.valkey.zadd(scheduled, due, element);
  const seen: number[] = [];
  const worker = queue.work(({ data, attempt }) => {
    seen.push(data);
    if (attempt < 3) throw new Error("once more");
  });
  await queue.promote(id);
  await eventually("nothing is left", () => isEmpty(queue));
  expect(seen).toEqual([2, 2, 2]);
  await worker.stop();
});

describe("with an own way to PostgreSQL", () => {
  let lossy: WireProxy;
  let wired: Keyline;

  beforeAll(async () => {
    lossy = await startWireProxy({ target: targetOf(stage.databaseUrl) });
    wired = stage.keyline({ postgres: through(stage.databaseUrl, lossy) });
  });

  afterAll(async () => {
    await wired.close();
    await lossy.stop();
  });

  test("an answer from PostgreSQL that gets lost is asked for once more", async () => {
    const queue = wired.queue<number>("unanswered", { transactional: true });
    const { id } = await queue.add(1, { delay: 60_000 });
    lossy.swallowReply((bytes) => bytes.toString("latin1").includes("keyline-update"));
    expect(await queue.update(id, { data: 2 })).toEqual({ updated: true, state: "scheduled" });
    expect(lossy.swallowed).toBe(1);
    expect(await queue.job(id)).toMatchObject({ data: 2 });
  });

  test("a job that begins right before its row is written runs with what it was, and is not updated", async () => {
    const queue = keyline.queue<number>("just-before", { transactional: true });
    const { id } = await queue.add(1);
    await eventually("it waits", async () => (await queue.counts()).waiting === 1);
    const late = gate();
    const { held } = lossy;
    lossy.holdRequest((bytes) => bytes.toString("latin1").includes("keyline-update"), late.opened);
    const updating = wired.queue<number>("just-before", { transactional: true }).update(id, { data: 2 });
    await eventually("it is about to be written", () => lossy.held > held);
    const begun = gate();
    const goOn = gate();
    const ran: number[] = [];
    const worker = queue.work(async ({ data }) => {
      ran.push(data);
      begun.open();
      await goOn.opened;
    });
    await begun.opened;
    late.open();
    expect(await updating).toEqual({ updated: false, state: "running" });
    goOn.open();
    await eventually("nothing is left", () => isEmpty(queue));
    expect(ran).toEqual([1]);
    await worker.stop();
  });
});

test("a job that is being cancelled stays where it is, so that it is found there", async () => {
  const queue = keyline.queue<number>("cancelling");
  const { id } = await queue.add(1);
  await stage.valkey.hset(keyOf("cancelling", "cancelled"), id, `plain ${Date.now()} somebody `);
  expect(await queue.update(id, { delay: 60_000 })).toEqual({ updated: false, state: "cancelled" });
  expect(await queue.counts()).toMatchObject({ waiting: 1, scheduled: 0 });
});

test("updates race with cancels: a job that was cancelled does not run, and none is left behind", async () => {
  for (const transactional of [false, true]) {
    const queue = keyline.queue<number>(`cancels-${transactional}`, { transactional } as { transactional: false });
    const ids = (await queue.addMany(Array.from({ length: 120 }, (_, data) => ({ data, delay: data % 2 === 0 ? 3_600_000 : 0 })))).map(
      ({ id }) => id,
    );
    await eventually("they are there", async () => (await queue.counts()).waiting === 60 && (await queue.counts()).scheduled === 60);
    const answers = await Promise.all(
      ids.flatMap((id, index) => [
        queue.update(id, index % 4 < 2 ? { delay: 3_600_000 } : { delay: 0, priority: "high" }).then(() => undefined),
        queue.cancel(id),
      ]),
    );
    expect(answers.filter((was) => was === "unknown" || was === "running")).toEqual([]);
    await eventually("nothing is left", () => isEmpty(queue));
  }
});

test("a row that is gone before its element was moved leaves nothing behind", async () => {
  const through = stage.keyline({ valkey: `valkey://127.0.0.1:${proxy.port}` });
  const queue = keyline.queue<number>("gone", { transactional: true });
  const { id } = await queue.add(1, { group: "g" });
  await queue.add(2, { group: "g" });
  await eventually("they are there", async () => (await queue.counts()).waiting === 1 && (await queue.counts()).blocked === 1);
  const late = gate();
  const { held } = proxy;
  proxy.holdRequest((bytes) => bytes.toString("latin1").includes("\r\ndelay\r\n"), late.opened);
  const updating = through.queue<number>("gone", { transactional: true }).update(id, { delay: 3_600_000 });
  await eventually("it is about to be moved", () => proxy.held > held);
  await stage.pool.query("DELETE FROM keyline.job WHERE queue = 'gone' AND id = $1", [id]);
  proxy.passAll();
  late.open();
  await updating;
  const ran: number[] = [];
  const worker = queue.work(({ data }) => void ran.push(data));
  await eventually("nothing is left", () => isEmpty(queue));
  expect(ran).toEqual([2]);
  await worker.stop();
});

test("a job whose delivery is still under way runs with what it was changed to", async () => {
  const queue = keyline.queue<number>("undelivered", { transactional: true });
  const { id } = await queue.add(1);
  await eventually("it waits", async () => (await queue.counts()).waiting === 1);
  const element = await stage.valkey.lpop(keyOf("undelivered", "waiting"));
  const ran: number[] = [];
  const worker = queue.work(({ data }) => void ran.push(data));
  await eventually("it works", async () => (await stage.valkey.zcard(keyOf("undelivered", "workers"))) === 1);
  await worker.stop();
  expect(await queue.update(id, { data: 2 })).toMatchObject({ updated: true });
  await stage.valkey.rpush(keyOf("undelivered", "waiting"), element ?? "");
  const again = queue.work(({ data }) => void ran.push(data));
  await eventually("it ran", () => ran.length > 0);
  await eventually("nothing is left", () => isEmpty(queue));
  expect(ran).toEqual([2]);
  await again.stop();
});

test("a job whose element is still to be moved is put back by the worker that takes it, for the rest of its time", async () => {
  const through = stage.keyline({ valkey: `valkey://127.0.0.1:${proxy.port}` });
  const queue = keyline.queue<number>("unmoved", { transactional: true });
  const { id } = await queue.add(1);
  await eventually("it waits", async () => (await queue.counts()).waiting === 1);
  const late = gate();
  const { held } = proxy;
  proxy.holdRequest((bytes) => bytes.toString("latin1").includes("\r\ndelay\r\n"), late.opened);
  const updating = through.queue<number>("unmoved", { transactional: true }).update(id, { data: 2, delay: 3_600_000 });
  await eventually("it is about to be moved", () => proxy.held > held);
  const ran: number[] = [];
  const worker = queue.work(({ data }) => void ran.push(data));
  await eventually("it was put back", async () => (await queue.counts()).scheduled === 1);
  proxy.passAll();
  late.open();
  expect(await updating).toEqual({ updated: true, state: "scheduled" });
  expect(ran).toEqual([]);
  expect(await queue.counts()).toMatchObject({ scheduled: 1, waiting: 0, running: 0 });
  expect(await queue.update(id, { delay: 0 })).toMatchObject({ updated: true });
  await eventually("it ran", () => ran.length === 1);
  expect(ran).toEqual([2]);
  await worker.stop();
});

test("what was changed stays so when Valkey loses its memory", async () => {
  const queue = keyline.queue<number>("flushed", { transactional: true });
  const [first, second] = await queue.addMany([{ data: 1 }, { data: 2, delay: 3_600_000 }]);
  await eventually("they are there", async () => (await queue.counts()).waiting + (await queue.counts()).scheduled === 2);
  expect(await queue.update(first?.id ?? "", { data: 10 })).toMatchObject({ updated: true });
  await stage.valkey.flushall();
  expect(await queue.update(second?.id ?? "", { data: 20, delay: 0 })).toMatchObject({ updated: true });
  const ran: number[] = [];
  const worker = queue.work(({ data }) => void ran.push(data));
  await eventually("both came back", () => ran.length === 2);
  expect(ran.toSorted((one, other) => one - other)).toEqual([10, 20]);
  await worker.stop();
});

test("a worker that has the job, and has not begun it yet, and an update: one of them comes first", async () => {
  const queue = keyline.queue<number>("taken", { transactional: true });
  const ran = new Map<string, number>();
  const worker = queue.work(
    async ({ id, data }, { settle }) => {
      ran.set(id, data);
      await settle(async (tx) => void (await tx.query("INSERT INTO effects VALUES ($1, $2)", [id, data])));
    },
    { concurrency: 10 },
  );
  const expected = new Map<string, number>();
  await Promise.all(
    Array.from({ length: 150 }, async (_, index) => {
      const { id } = await queue.add(0, index % 2 === 0 ? { delay: 10 } : {});
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 15));
      const { updated, state } = await queue.update(id, { data: 1 });
      if (!updated) expect(["running", "unknown"]).toContain(state);
      expected.set(id, updated ? 1 : 0);
    }),
  );
  await eventually("nothing is left", () => isEmpty(queue));
  await worker.stop();
  expect(ran).toEqual(new Map([...ran.keys()].map((id) => [id, expected.get(id)])));
  const { rows } = await stage.pool.query<{ id: string; version: number }>("SELECT id, version FROM effects");
  expect(new Map(rows.map(({ id, version }) => [id, version]))).toEqual(ran);
});

test("a settle that is under way is waited for: the job has ended then", async () => {
  const queue = keyline.queue<number>("settling", { transactional: true });
  const begun = gate();
  const goOn = gate();
  const worker = queue.work(async (_, { settle }) => {
    await settle(async () => {
      begun.open();
      await goOn.opened;
    });
  });
  const { id } = await queue.add(1);
  await begun.opened;
  const updating = queue.update(id, { data: 2 });
  goOn.open();
  expect(await updating).toMatchObject({ updated: false });
  await worker.stop();
});
