import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Job, Queue, SettlingHandler } from "keyline";
import { openEffectsStage, type EffectsStage, type N } from "../../support/effects-stage.ts";
import { eventually, gate } from "../../support/stage.ts";

let stage: EffectsStage;
beforeAll(async () => {
  stage = await openEffectsStage();
});
afterAll(() => stage.close());

interface ParkedRow {
  readonly state: string;
  readonly attempts: number;
  readonly parked: string | null;
  readonly parked_for: string | null;
  readonly parks: number | null;
  readonly delivered_to: string | null;
}

async function rowOf(queue: string): Promise<ParkedRow | undefined> {
  const text = "SELECT state, attempts, parked, parked_for, parks, delivered_to FROM keyline.job WHERE queue = $1";
  return (await stage.pool.query<ParkedRow>(text, [queue])).rows[0];
}

const scheduled = (queue: string): Promise<string[]> => stage.valkey.zrange(`${stage.prefix}:{${queue}}:scheduled`, 0, -1);

/** The job is parked, its element is on the schedule, and its row says that it was delivered. */
async function untilParked(queue: string, parks = 1): Promise<void> {
  await eventually("the job is parked", async () => {
    const row = await rowOf(queue);
    return row?.parked !== null && row?.parks === parks && row.delivered_to !== null && (await scheduled(queue)).length === 1;
  });
}

function completion(worker: ReturnType<Queue<N, N, true>["work"]>): Promise<Error | undefined> {
  return new Promise((resolve) => {
    worker.on("completed", () => resolve(undefined));
    worker.on("dead", (_, error) => resolve(error));
  });
}

async function expectNothingLeft(queue: Queue<N, N, true>): Promise<void> {
  await eventually("nothing is left", async () => {
    const { waiting, running, parked, scheduled: due } = await queue.counts();
    return waiting + running + due + parked === 0;
  });
  for (const table of ["step", "job_signal"]) {
    expect((await stage.pool.query(`SELECT FROM keyline.${table} WHERE queue = $1`, [queue.name])).rowCount).toBe(0);
  }
}

describe("a sleep", () => {
  test("ends the attempt without counting it, frees the worker, and the handler goes on behind it when it is over", async () => {
    const queue = stage.nextQueue();
    const runs: number[] = [];
    const times: number[] = [];
    let calls = 0;
    const worker = queue.work(async (job, { step }) => {
      if (job.data.n === 2) return;
      runs.push(job.attempt);
      await step("before", async () => calls++);
      times.push(Date.now());
      await job.sleep("cool down", 300);
      times.push(Date.now());
      await step("behind", async () => calls++);
      await job.sleep("no time", 0);
    });
    const ended = completion(worker);
    await queue.add({ n: 1 });
    expect(await ended).toBeUndefined();
    await worker.stop();
    expect(runs).toEqual([1, 1]);
    expect(calls).toBe(2);
    // By the clock of PostgreSQL, which is this machine's.
    expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(299);
    await expectNothingLeft(queue);
  });

  test("while it lasts other jobs run on the same worker", async () => {
    const queue = stage.nextQueue();
    const ran: number[] = [];
    const worker = queue.work(async (job) => {
      if (job.data.n === 1) await job.sleep("long", 600_000);
      ran.push(job.data.n);
    });
    await queue.add({ n: 1 });
    await queue.add({ n: 2 });
    await eventually("the other one ran", () => ran.length === 1);
    await untilParked(queue.name);
    expect(await rowOf(queue.name)).toMatchObject({ state: "scheduled", attempts: 0, parked: "sleep", parked_for: "long" });
    expect(ran).toEqual([2]);
    await worker.stop();
  });

  test("a failure behind it is retried without sleeping again", async () => {
    const queue = stage.nextQueue();
    const attempts: number[] = [];
    const worker = queue.work(async (job) => {
      await job.sleep("once", 20);
      attempts.push(job.attempt);
      if (job.attempt < 3) throw new Error("again");
    });
    const ended = completion(worker);
    await queue.add({ n: 1 });
    expect(await ended).toBeUndefined();
    expect(attempts).toEqual([1, 2, 3]);
    await worker.stop();
    await expectNothingLeft(queue);
  });

  test("a handler that catches its end goes on in vain: nothing of what it calls is done", async () => {
    const queue = stage.nextQueue();
    const errors: unknown[] = [];
    let runs = 0;
    const worker = queue.work(async (job, { settle, step }) => {
      if (++runs > 1) return;
      const caught = (error: unknown): void => void errors.push(error);
      await job.sleep("caught", 100).catch(caught);
      await step("behind", async (tx) => void (await stage.write(tx, queue.name, 1))).catch(caught);
      await job.signalled("never").catch(caught);
      await settle(async (tx) => void (await stage.write(tx, queue.name, 2))).catch(caught);
    });
    const ended = completion(worker);
    await queue.add({ n: 1 });
    expect(await ended).toBeUndefined();
    expect(errors.map((error) => (error as Error).name)).toEqual(["Parked", "Parked", "Parked", "Parked"]);
    expect(await stage.effectsOf(queue.name)).toEqual([]);
    await worker.stop();
  });
});

describe("a signal", () => {
  test("wakes the job that waits for it, with its data, which every later run is given too", async () => {
    const queue = stage.nextQueue();
    const given: unknown[] = [];
    const worker = queue.work(async (job) => {
      given.push(await job.signalled<{ by: string }>("approved"));
      if (job.attempt === 1) throw new Error("again");
    });
    const ended = completion(worker);
    const { id } = await queue.add({ n: 1 });
    await untilParked(queue.name);
    expect(await rowOf(queue.name)).toMatchObject({ parked: "signal", parked_for: "approved" });
    expect(await queue.signal(id, "another one")).toBe(true);
    expect(await rowOf(queue.name)).toMatchObject({ parked: "signal" });
    expect(await queue.signal(id, "approved", { by: "ann" })).toBe(true);
    expect(await ended).toBeUndefined();
    expect(given).toEqual([{ by: "ann" }, { by: "ann" }]);
    expect(await queue.signal(id, "approved")).toBe(false);
    await worker.stop();
    await expectNothingLeft(queue);
  });

  test("that comes first is found, the first of several counts, and one without data is undefined", async () => {
    const queue = stage.nextQueue();
    const { id } = await queue.add({ n: 1 });
    expect(await queue.signal(id, "go", 1)).toBe(true);
    expect(await queue.signal(id, "go", 2)).toBe(true);
    expect(await queue.signal(id, "empty")).toBe(true);
    const given: unknown[] = [];
    const worker = queue.work(async (job) => void given.push(await job.signalled("go"), await job.signalled("empty")));
    const ended = completion(worker);
    expect(await ended).toBeUndefined();
    expect(given).toEqual([1, undefined]);
    await worker.stop();
    await expectNothingLeft(queue);
  });

  test("that does not come in time is TIMEOUT, in every run", async () => {
    const queue = stage.nextQueue();
    const codes: unknown[] = [];
    const worker = queue.work(async (job) => {
      await job.signalled("approved", { timeout: 50 }).catch((error: { code?: string; name: string }) => {
        if (error.name === "Parked") throw error;
        codes.push(error.code);
      });
      if (job.attempt === 1) throw new Error("again");
    });
    const ended = completion(worker);
    const { id } = await queue.add({ n: 1 });
    expect(await ended).toBeUndefined();
    expect(codes).toEqual(["TIMEOUT", "TIMEOUT"]);
    expect(await queue.signal(id, "approved")).toBe(false);
    await worker.stop();
    await expectNothingLeft(queue);
  });

  test("to a job that is not there says so; a dead letter keeps it until it is redriven", async () => {
    const queue = stage.nextQueue();
    expect(await queue.signal("nobody", "go")).toBe(false);
    let mayPass = false;
    const given: unknown[] = [];
    const handler: SettlingHandler<N> = async (job) => {
      if (!mayPass) throw new Error("not yet");
      given.push(await job.signalled("go"));
    };
    const worker = queue.work(handler);
    const dead = gate();
    worker.on("dead", () => dead.open());
    const completed = gate();
    worker.on("completed", () => completed.open());
    const { id } = await queue.add({ n: 1 });
    await dead.opened;
    expect(await queue.signal(id, "go", "later")).toBe(true);
    mayPass = true;
    await queue.redrive({ all: true });
    await completed.opened;
    expect(given).toEqual(["later"]);
    await worker.stop();
    await expectNothingLeft(queue);
  });
});

describe("bad input", () => {
  test.each<[what: string, code: string, call: (job: Job<N>) => Promise<unknown>]>([
    ["a sleep of negative length", "INVALID_OPTION", (job) => job.sleep("a", -1)],
    ["a sleep of no length at all", "INVALID_OPTION", (job) => job.sleep("a", undefined as unknown as number)],
    ["a sleep without a name", "INVALID_OPTION", (job) => job.sleep("", 1)],
    ["a timeout that is none", "INVALID_OPTION", (job) => job.signalled("a", { timeout: Number.NaN })],
    [
      "a name that was used before",
      "INVALID_STEP",
      async (job) => {
        await job.sleep("a", 0);
        await job.signalled("a");
      },
    ],
  ])("%s is refused, and nothing is written", async (_, code, call) => {
    const queue = stage.nextQueue();
    const thrown: unknown[] = [];
    const worker = queue.work((job) => call(job).catch((error: unknown) => thrown.push(error)));
    const ended = completion(worker);
    await queue.add({ n: 1 });
    await ended;
    await worker.stop();
    expect(thrown).toHaveLength(1);
    expect(thrown[0]).toMatchObject({ code });
  });

  test("what is remembered as something else is a clear error", async () => {
    const queue = stage.nextQueue();
    const errors: unknown[] = [];
    const worker = queue.work(async (job, { step }) => {
      if (job.attempt === 1) {
        await step("a", async () => 1);
        await job.sleep("b", 0);
        throw new Error("the handler is changed");
      }
      await job.sleep("a", 5).catch((error: unknown) => errors.push(error));
      await step("b", async () => 1).catch((error: unknown) => errors.push(error));
      await job.signalled("b").catch((error: unknown) => errors.push(error));
    });
    const ended = completion(worker);
    await queue.add({ n: 1 });
    await ended;
    await worker.stop();
    expect(errors).toHaveLength(3);
    for (const error of errors) expect(error).toMatchObject({ code: "INVALID_STEP" });
  });

  test("of queue.signal is refused before anything is sent", async () => {
    const queue = stage.nextQueue();
    const { id } = await queue.add({ n: 1 });
    await expect(queue.signal("no id", "go")).rejects.toMatchObject({ code: "INVALID_ID" });
    await expect(queue.signal(id, "")).rejects.toMatchObject({ code: "INVALID_OPTION" });
    await expect(queue.signal(id, "go", 1n)).rejects.toMatchObject({ code: "NOT_SERIALIZABLE" });
    await expect(queue.signal(id, "go", "x".repeat(65_536))).rejects.toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
    expect((await stage.pool.query("SELECT FROM keyline.job_signal WHERE queue = $1", [queue.name])).rowCount).toBe(0);
    for (let n = 0; n < 256; n++) expect(await queue.signal(id, `s${n}`)).toBe(true);
    await expect(queue.signal(id, "one too many")).rejects.toMatchObject({ code: "INVALID_STEP" });
    expect(await queue.signal(id, "s7")).toBe(true);
  });

  test("on a plain queue, and in a batch, they say what they need", async () => {
    const plain = stage.keyline().queue<N>("plain-pauses", { maxAttempts: 1 });
    await expect(plain.signal("1", "go")).rejects.toMatchObject({ code: "NOT_TRANSACTIONAL" });
    const codes: unknown[] = [];
    const note = (error: unknown): void => void codes.push((error as { code: unknown }).code);
    const worker = plain.work(async (job) => {
      await job.sleep("a", 1).catch(note);
      await job.signalled("b").catch(note);
    });
    await plain.add({ n: 1 });
    await eventually("it ran", () => codes.length === 2);
    await worker.stop();
    const queue = stage.nextQueue();
    const batches = queue.workBatch(([job]) => job?.sleep("a", 1).catch(note));
    await queue.add({ n: 1 });
    await eventually("it ran", () => codes.length === 3);
    await batches.stop();
    expect(codes).toEqual(["NOT_TRANSACTIONAL", "NOT_TRANSACTIONAL", "NOT_TRANSACTIONAL"]);
  });
});
