import type { Keyline, KeylineError, Queue } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isEmpty } from "../../support/is-empty.ts";
import { eventually, gate, openQuietStage, type Stage } from "../../support/stage.ts";
import { startWireProxy, targetOf, type WireProxy } from "../../support/wire-proxy.ts";

let stage: Stage;
let proxy: WireProxy;
let keyline: Keyline;

beforeAll(async () => {
  stage = await openQuietStage();
  proxy = await startWireProxy({ target: targetOf(stage.valkeyUrl) });
  keyline = stage.keyline();
  await keyline.migrate();
  await stage.pool.query("CREATE TABLE effects (queue text, id text)");
});

afterAll(async () => {
  await stage.close();
  await proxy.stop();
});

const through = (): Keyline => stage.keyline({ valkey: `valkey://127.0.0.1:${proxy.port}` });
const requests = (command: string) => (bytes: Buffer) => bytes.toString("latin1").toLowerCase().includes(`\r\n${command}\r\n`);
const baseOf = (name: string): string => `${stage.prefix}:{${name}}:`;
describe.each([{ transactional: false }, { transactional: true }])("cancel (transactional: $transactional)", ({ transactional }) => {
  const open = (on: Keyline, name: string, lease = 2_000): Queue<number> =>
    on.queue<number>(`${name}-${transactional}`, { transactional, lease, backoff: () => 10 } as { transactional: false });

  test("is not done while a worker's wait for a job may still be on its way to the server", async () => {
    const late = gate();
    proxy.holdRequest(requests("blmove"), late.opened);
    const held = proxy.held;
    const ran: number[] = [];
    const worker = open(through(), "late-wait").work(({ data }) => void ran.push(data));
    await eventually("it is about to wait", () => proxy.held > held);
    const queue = open(keyline, "late-wait");
    const { id } = await queue.add(1);
    await eventually("it waits", async () => (await queue.counts()).waiting === 1);
    const cancelling = queue.cancel(id);
    await Promise.race([cancelling, new Promise((resolve) => setTimeout(resolve, 300))]);
    late.open();
    // The wait may have come first: then the worker has it.
    const was = await cancelling;
    expect(["waiting", "running"]).toContain(was);
    await eventually("it is nowhere", () => isEmpty(queue));
    if (was === "waiting") expect(ran).toEqual([]);
    proxy.passAll();
    await worker.stop();
  });

  test("of a job that its worker does not know of yet aborts it as soon as it does", async () => {
    const reasons: unknown[] = [];
    const worker = open(through(), "late-answer", 4_000).work(async ({ signal }) => {
      if (!signal.aborted) await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      reasons.push((signal.reason as KeylineError).code);
    });
    const queue = open(keyline, "late-answer", 4_000);
    await eventually("it works", async () => (await stage.valkey.zcard(`${baseOf(queue.name)}workers`)) === 1);
    proxy.delay(400);
    const { id } = await queue.add(1);
    await eventually("it is held", async () => (await queue.counts()).running === 1);
    expect(await queue.cancel(id)).toBe("running");
    await eventually("it was aborted", () => reasons.length === 1 || transactional);
    await eventually("it is nowhere", () => isEmpty(queue));
    // On a transactional queue the worker may have found its row cancelled before it began.
    expect(reasons).toEqual(reasons.length === 0 ? [] : ["JOB_CANCELLED"]);
    proxy.passAll();
    await worker.stop();
  });

  test("of a job whose worker dies before it hears of it: nobody runs it again", async () => {
    const queue = open(keyline, "dead-worker");
    const { id } = await queue.add(1, { group: "g" });
    await queue.add(2, { group: "g" });
    await eventually("they are there", async () => (await queue.counts()).waiting === 1 && (await queue.counts()).blocked === 1);
    await stage.valkey.lmove(`${baseOf(queue.name)}waiting`, `${baseOf(queue.name)}held:ghost`, "RIGHT", "RIGHT");
    const [seconds] = await stage.valkey.time();
    await stage.valkey.zadd(`${baseOf(queue.name)}workers`, Number(seconds) * 1_000 + 1_500, "ghost");
    expect(await queue.cancel(id)).toBe("running");
    const ran: number[] = [];
    const worker = queue.work(({ data }) => void ran.push(data));
    await eventually("the other one ran", () => ran.length === 1);
    expect(ran).toEqual([2]);
    await eventually("nothing is left", () => isEmpty(queue));
    await worker.stop();
  });

  test("of a job with an id of its caller's that ends before the call has found it: it is cancelled, for all who ask", async () => {
    const queue = open(keyline, "heard-first", 4_000);
    const begun = gate();
    const worker = queue.work(async ({ signal }) => {
      begun.open();
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      signal.throwIfAborted();
    });
    const ended = new Promise<void>((resolve) => worker.on("cancelled", () => resolve()));
    await queue.add(1, { id: "own" });
    await begun.opened;
    // The call waits for one that does not answer, until its lease is over.
    const [seconds] = await stage.valkey.time();
    await stage.valkey.zadd(`${baseOf(queue.name)}workers`, Number(seconds) * 1_000 + 2_500, "ghost");
    const cancelling = queue.cancel("own");
    const waiting = expect(queue.waitFor("own", { timeout: 20_000 })).rejects.toMatchObject({ code: "JOB_CANCELLED" });
    await ended;
    expect(await cancelling).toBe("running");
    await waiting;
    await expect(queue.waitFor("own", { timeout: 20_000 })).rejects.toMatchObject({ code: "JOB_CANCELLED" });
    await worker.stop();
  });

  test("deep in a long queue takes out the one that is meant; the others run, and the counts are right", async () => {
    const queue = open(keyline, "deep");
    const results = await queue.addMany(Array.from({ length: 5_000 }, (_, data) => ({ data })));
    await eventually("all wait", async () => (await queue.counts()).waiting === 5_000);
    for (const index of [0, 2_400, 2_500, 4_999]) expect(await queue.cancel(results[index]?.id ?? "")).toBe("waiting");
    expect(await queue.counts()).toMatchObject({ waiting: 4_996, running: 0 });
    expect(Number(await stage.valkey.get(`${baseOf(queue.name)}stubs`))).toBe(2);
    const ran: number[] = [];
    const errors: Error[] = [];
    const worker = queue.work(({ data }) => void ran.push(data), { concurrency: 100 });
    worker.on("error", (error) => errors.push(error));
    await eventually("all others have run", () => ran.length === 4_996);
    await eventually(
      "nothing is left",
      async () => (await isEmpty(queue)) && (await stage.valkey.exists(`${baseOf(queue.name)}stubs`)) === 0,
    );
    expect(new Set(ran).size).toBe(4_996);
    expect(ran.filter((data) => [0, 2_400, 2_500, 4_999].includes(data))).toEqual([]);
    expect(errors).toEqual([]);
    expect((await queue.counts()).dead).toBe(0);
    await worker.stop();
  });

  test("of many, while workers take, fail and retry them: each was either cancelled or has run to its end, and both are told", async () => {
    const queue = open(keyline, "many");
    const completed = new Set<string>();
    const cancelled = new Set<string>();
    const begun = new Map<string, number>();
    const workers = [1, 2].map(() => {
      const worker = open(stage.keyline(), "many").work(
        async ({ id, attempt }) => {
          begun.set(id, (begun.get(id) ?? 0) + 1);
          await new Promise((resolve) => setTimeout(resolve, Math.random() * 5));
          if (attempt === 1 && Math.random() < 0.3) throw new Error("once more");
        },
        { concurrency: 5 },
      );
      worker.on("completed", ({ id }) => completed.add(id));
      worker.on("cancelled", ({ id }) => cancelled.add(id));
      worker.on("error", () => undefined);
      return worker;
    });
    const ids: string[] = [];
    for (let index = 0; index < 300; index++) {
      const options = {
        id: `job-${index}`,
        ...(index % 3 === 0 ? { group: `g${index % 5}` } : {}),
        ...(index % 7 === 0 ? { delay: 30 } : {}),
      };
      ids.push((await queue.add(index, options)).id);
    }
    const answers = new Map<string, string>();
    await Promise.all(
      ids
        .filter((_, index) => index % 2 === 0)
        .map(async (id, index) => {
          await new Promise((resolve) => setTimeout(resolve, index * 2));
          answers.set(id, await queue.cancel(id));
        }),
    );
    await eventually("nothing is left", () => isEmpty(queue), 40_000);
    await Promise.all(workers.map((worker) => worker.stop()));
    for (const id of ids) {
      const was = answers.get(id);
      if (was === undefined || was === "unknown") expect([id, was, completed.has(id)]).toEqual([id, was, true]);
      else if (was !== "running") expect([id, was, completed.has(id)]).toEqual([id, was, false]);
      // What ran on a plain queue may have come to its end before its worker heard.
      else expect([id, was, completed.has(id) !== cancelled.has(id) || transactional]).toEqual([id, was, true]);
      if (transactional && was === "running") expect([id, completed.has(id)]).toEqual([id, false]);
    }
    for (const key of ["ids", "grouped", "lines", "keys", "stubs"]) expect(await stage.valkey.exists(baseOf(queue.name) + key)).toBe(0);
    expect((await queue.counts()).dead).toBe(0);
  });
});

/** What the first step of a call leaves, without its signal. */
async function mark(queue: { readonly name: string }, id: string): Promise<void> {
  await stage.valkey.hset(`${baseOf(queue.name)}cancelled`, id, `plain ${Date.now()} tag`);
  await stage.valkey.hincrby(`${baseOf(queue.name)}gates`, "cancels", 1);
}

test("a job that is cancelled is not begun by the worker that takes it before the call has found it", async () => {
  const queue = keyline.queue<number>("taken-first");
  const { id } = await queue.add(1);
  await queue.add(2);
  await eventually("they wait", async () => (await queue.counts()).waiting === 2);
  await mark(queue, id);
  const ran: number[] = [];
  const worker = queue.work(({ data }) => void ran.push(data));
  await eventually("the other one ran", () => ran.includes(2));
  await eventually("nothing is left", () => isEmpty(queue));
  expect(ran).toEqual([2]);
  await expect(queue.waitFor(id, { timeout: 10_000 })).rejects.toMatchObject({ code: "JOB_CANCELLED" });
  await worker.stop();
});

test("a job that fails before its worker has heard that it was cancelled is not tried again", async () => {
  const queue = keyline.queue<number>("fails-first", { limits: { concurrency: 100 }, backoff: () => 3_600_000 });
  const begun = gate();
  const failing = gate();
  const worker = queue.work(async () => {
    begun.open();
    await failing.opened;
    throw new Error("no");
  });
  const told = new Promise<string>((resolve) => worker.on("cancelled", ({ id }) => resolve(id)));
  const { id } = await queue.add(1);
  await begun.opened;
  await mark(queue, id);
  failing.open();
  expect(await told).toBe(id);
  await eventually("it is nowhere", () => isEmpty(queue));
  expect(await stage.valkey.exists(`${baseOf(queue.name)}cancelled`)).toBe(0);
  await expect(queue.waitFor(id, { timeout: 10_000 })).rejects.toMatchObject({ code: "JOB_CANCELLED" });
  await worker.stop();
});

test("a cancel races with a settle: exactly one of them wins, and both are told", async () => {
  const queue = keyline.queue<number>("settles", { transactional: true, backoff: () => 10 });
  const settled = new Map<string, boolean | string>();
  const worker = queue.work(
    async ({ id }, { settle }) => {
      try {
        const isOurs = await settle(async (tx) => {
          await tx.query("INSERT INTO effects VALUES ('settles', $1)", [id]);
          await new Promise((resolve) => setTimeout(resolve, Math.random() * 4));
        });
        settled.set(id, isOurs);
      } catch (error) {
        settled.set(id, (error as KeylineError).code);
      }
    },
    { concurrency: 10 },
  );
  worker.on("error", () => undefined);
  const answers = new Map<string, string>();
  const cancels: Promise<void>[] = [];
  for (let index = 0; index < 200; index++) {
    const { id } = await queue.add(index);
    const later = new Promise((resolve) => setTimeout(resolve, Math.random() * 12));
    cancels.push(later.then(() => queue.cancel(id)).then((was) => void answers.set(id, was)));
  }
  await Promise.all(cancels);
  await eventually("nothing is left", () => isEmpty(queue));
  await worker.stop();
  const { rows } = await stage.pool.query<{ id: string }>("SELECT id FROM effects WHERE queue = 'settles'");
  const effects = new Set(rows.map(({ id }) => id));
  expect(effects.size).toBe(rows.length);
  for (const [id, was] of answers) {
    expect([id, was, effects.has(id)]).toEqual([id, was, was === "unknown"]);
    const told = settled.get(id);
    if (was === "unknown") expect([id, told]).toEqual([id, true]);
    else if (told !== undefined) expect([id, told]).toEqual([id, "JOB_CANCELLED"]);
  }
  await eventually("their ids are free", async () => {
    const { rowCount } = await stage.pool.query("SELECT FROM keyline.job WHERE queue = 'settles'");
    return rowCount === 0;
  });
});

test("no settle of a job commits once its cancel has resolved, while its handler goes on", async () => {
  const queue = keyline.queue<number>("fenced", { transactional: true });
  const begun = gate();
  const cancelled = gate();
  const told = Promise.withResolvers<unknown>();
  const worker = queue.work(async ({ id }, { settle }) => {
    begun.open();
    await cancelled.opened;
    await settle(async (tx) => void (await tx.query("INSERT INTO effects VALUES ('fenced', $1)", [id]))).catch(told.resolve);
  });
  const { id } = await queue.add(1);
  await begun.opened;
  expect(await queue.cancel(id)).toBe("running");
  cancelled.open();
  expect(await told.promise).toMatchObject({ code: "JOB_CANCELLED" });
  await worker.stop();
  const { rows } = await stage.pool.query("SELECT FROM effects WHERE queue = 'fenced'");
  expect(rows).toEqual([]);
});

test("a batch goes on without those that were cancelled", async () => {
  const queue = keyline.queue<number>("batch", { transactional: true });
  const begun = gate();
  const cancelled = gate();
  const outcome = Promise.withResolvers<{ settled: number[]; skipped: number[] }>();
  await queue.addMany([1, 2, 3, 4].map((data) => ({ data, id: `batch-${data}` })));
  await eventually("they wait", async () => (await queue.counts()).waiting === 4);
  const worker = queue.workBatch(async (jobs, { settle }) => {
    begun.open();
    await cancelled.opened;
    const { settled, skipped } = await settle(jobs, async (tx, owed) => {
      for (const { id } of owed) await tx.query("INSERT INTO effects VALUES ('batch', $1)", [id]);
    });
    outcome.resolve({ settled: settled.map(({ data }) => data), skipped: skipped.map(({ data }) => data) });
  });
  await begun.opened;
  expect(await queue.cancel("batch-1")).toBe("running");
  expect(await queue.cancel("batch-3")).toBe("running");
  cancelled.open();
  expect(await outcome.promise).toEqual({ settled: [2, 4], skipped: [1, 3] });
  await eventually("nothing is left", () => isEmpty(queue));
  await worker.stop();
  const { rows } = await stage.pool.query("SELECT id FROM effects WHERE queue = 'batch' ORDER BY id");
  expect(rows).toEqual([{ id: "batch-2" }, { id: "batch-4" }]);
});

test("a job that is still to be delivered is not begun when it comes", async () => {
  const queue = keyline.queue<number>("undelivered", { transactional: true });
  const { id } = await queue.add(1);
  await eventually("it waits", async () => (await queue.counts()).waiting === 1);
  const ran: number[] = [];
  // As if its delivery were still on the way.
  const element = await stage.valkey.lpop(`${baseOf("undelivered")}waiting`);
  const worker = queue.work(({ data }) => void ran.push(data));
  await eventually("it works", async () => (await stage.valkey.zcard(`${baseOf("undelivered")}workers`)) === 1);
  expect(await queue.cancel(id)).toBe("waiting");
  await stage.valkey.lpush(`${baseOf("undelivered")}waiting`, element ?? "");
  await queue.add(2);
  await eventually("the next one ran", () => ran.includes(2));
  await eventually("nothing is left", () => isEmpty(queue));
  expect(ran).toEqual([2]);
  await worker.stop();
});

test("what was cancelled stays so when Valkey loses its memory; and what is cancelled after that never runs", async () => {
  const queue = keyline.queue<number>("flushed", { transactional: true });
  const [first, second] = await queue.addMany([{ data: 1 }, { data: 2 }, { data: 3 }]);
  await eventually("they wait", async () => (await queue.counts()).waiting === 3);
  expect(await queue.cancel(first?.id ?? "")).toBe("waiting");
  await stage.valkey.flushall();
  expect(await queue.cancel(second?.id ?? "")).toBe("waiting");
  const ran: number[] = [];
  const worker = queue.work(({ data }) => void ran.push(data));
  await eventually("the rest comes back", () => ran.includes(3));
  await eventually("nothing is left", () => isEmpty(queue));
  expect(ran.filter((data) => data !== 3)).toEqual([]);
  await worker.stop();
});

test("cancel of a job that its worker has aborted and ended before the call has looked for it says that it ran", async () => {
  const queue = keyline.queue<number>("ended-early", { transactional: true, lease: 4_000 });
  const begun = gate();
  const worker = queue.work(async ({ signal }) => {
    begun.open();
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    signal.throwIfAborted();
  });
  const ended = new Promise<void>((resolve) => worker.on("cancelled", () => resolve()));
  const { id } = await queue.add(1);
  await begun.opened;
  const elsewhere = through();
  const canceller = elsewhere.queue<number>("ended-early", { transactional: true, lease: 4_000 });
  // It is connected from here on, and the script is known.
  await canceller.cancel("nobody");
  // It is marked before its row is cancelled, and once more behind that.
  let sent = 0;
  const late = gate();
  proxy.holdRequest((bytes) => bytes.includes(id) && ++sent === 2, late.opened);
  const cancelling = canceller.cancel(id);
  await ended;
  late.open();
  expect(await cancelling).toBe("running");
  expect(sent).toBeGreaterThanOrEqual(2);
  proxy.passAll();
  await worker.stop();
  await elsewhere.close();
});
