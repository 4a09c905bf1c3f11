import { afterAll, beforeAll, expect, test } from "vitest";
import { Snooze, type Job, type Queue, type SettlingHandler } from "keyline";
import { openEffectsStage, type EffectsStage, type N } from "../../support/effects-stage.ts";
import { eventually, gate } from "../../support/stage.ts";

let stage: EffectsStage;
beforeAll(async () => {
  stage = await openEffectsStage();
});
afterAll(() => stage.close());

interface StepRow {
  readonly job_id: string;
  readonly name: string;
  readonly value: unknown;
}

async function stepsOf(queue: string): Promise<StepRow[]> {
  return (await stage.pool.query<StepRow>("SELECT job_id, name, value FROM keyline.step WHERE queue = $1 ORDER BY at, name", [queue])).rows;
}

/** Runs one job with the handler until it is completed or dead; returns the error it died of. */
async function runOne(queue: Queue<N, N, true>, handler: SettlingHandler<N>): Promise<Error | undefined> {
  const ended = Promise.withResolvers<Error | undefined>();
  const worker = queue.work(handler);
  worker.on("completed", () => ended.resolve(undefined));
  worker.on("dead", (_, error) => ended.resolve(error));
  await queue.add({ n: 1 });
  const error = await ended.promise;
  await worker.stop();
  return error;
}

test("a step commits its effects and its value, and is answered from what is remembered when the handler runs again", async () => {
  const queue = stage.nextQueue();
  let calls = 0;
  const values: unknown[] = [];
  await runOne(queue, async (job, { step }) => {
    values.push(
      await step("charge", async (tx) => {
        calls++;
        await stage.write(tx, queue.name, job.attempt);
        return { receipt: "r1", at: new Date(0) };
      }),
    );
    if (job.attempt === 1) {
      expect(await stepsOf(queue.name)).toMatchObject([{ name: "charge", value: { receipt: "r1", at: "1970-01-01T00:00:00.000Z" } }]);
      throw new Error("later");
    }
  });
  expect(calls).toBe(1);
  const remembered = { receipt: "r1", at: "1970-01-01T00:00:00.000Z" };
  expect(values).toEqual([remembered, remembered]);
  expect(await stage.effectsOf(queue.name)).toEqual([1]);
  expect(await stage.rowsOf(queue.name)).toEqual([]);
  expect(await stepsOf(queue.name)).toEqual([]);
});

test("steps that are done are gone over after a Snooze too, and settle ends the job with its own effects", async () => {
  const queue = stage.nextQueue();
  const calls: string[] = [];
  let runs = 0;
  await runOne(queue, async (_, { settle, step }) => {
    runs++;
    const one = await step("one", async () => calls.push("one"));
    const nothing = await step("nothing", async () => void calls.push("nothing"));
    if (runs === 1) throw new Snooze(5);
    const two = await step("two", async () => calls.push("two"));
    expect([one, nothing, two]).toEqual([1, undefined, 3]);
    await settle(async (tx) => void (await stage.write(tx, queue.name, two)));
  });
  expect(runs).toBe(2);
  expect(calls).toEqual(["one", "nothing", "two"]);
  expect(await stage.effectsOf(queue.name)).toEqual([3]);
  expect(await stepsOf(queue.name)).toEqual([]);
});

test("a step that throws remembers nothing, and can be tried again in the same run", async () => {
  const queue = stage.nextQueue();
  const error = await runOne(queue, async (_, { step }) => {
    const attempt = (n: number): Promise<number> =>
      step("fetch", async (tx) => {
        await stage.write(tx, queue.name, n);
        if (n < 3) throw new Error("busy");
        return n;
      });
    await expect(attempt(1)).rejects.toThrow("busy");
    expect(await stepsOf(queue.name)).toEqual([]);
    await attempt(2).catch(() => undefined);
    expect(await attempt(3)).toBe(3);
  });
  expect(error).toBeUndefined();
  expect(await stage.effectsOf(queue.name)).toEqual([3]);
});

test("steps that are begun at once are done one after the other", async () => {
  const queue = stage.nextQueue();
  let running = 0;
  const error = await runOne(queue, async (_, { step }) => {
    const names = ["a", "b", "c"];
    const values = await Promise.all(
      names.map((name) =>
        step(name, async (tx) => {
          expect(++running).toBe(1);
          await tx.query("SELECT pg_sleep(0.01)");
          running--;
          return name;
        }),
      ),
    );
    expect(values).toEqual(names);
  });
  expect(error).toBeUndefined();
});

test("a job does not end before a step that nobody waits for", async () => {
  const queue = stage.nextQueue();
  await runOne(queue, (_, { step }) => {
    void step("late", async (tx) => {
      await tx.query("SELECT pg_sleep(0.05)");
      await stage.write(tx, queue.name, 5);
    });
    void step("broken", () => Promise.reject(new Error("nobody hears of it")));
  });
  expect(await stage.effectsOf(queue.name)).toEqual([5]);
  expect(await stepsOf(queue.name)).toEqual([]);
});

test.each<[what: string, says: string, handler: (job: Job<N>, context: Parameters<SettlingHandler<N>>[1]) => Promise<unknown>]>([
  [
    "a name that was used before in the run",
    'INVALID_STEP: step "a" of job',
    async (_, { step }) => {
      await step("a", async () => 1);
      await step("a", async () => 2);
    },
  ],
  ["a name that is none", "INVALID_OPTION: The name of a step", (_, { step }) => step("", async () => 1)],
  ["a name that is no text", "INVALID_OPTION: The name of a step", (_, { step }) => step(7 as unknown as string, async () => 1)],
  ["a step within a step", "is within another step", (_, { step }) => step("a", () => step("b", async () => 1))],
  ["settle within a step", "await the step first", (_, { step, settle }) => step("a", () => settle(async () => undefined))],
  [
    "a step after settle",
    "comes after settle",
    async (_, { step, settle }) => {
      void settle(() => Promise.reject(new Error("not this one")));
      await step("a", async () => 1);
    },
  ],
  ["a value that is no JSON", "NOT_SERIALIZABLE", (_, { step }) => step("a", async () => 1n)],
  ["a value with a key that pollutes", "FORBIDDEN_KEY", (_, { step }) => step("a", async () => JSON.parse('{"__proto__":1}') as object)],
  ["a value of more than 64 KiB", "PAYLOAD_TOO_LARGE", (_, { step }) => step("a", async () => "x".repeat(65_536))],
  [
    "a statement that failed and was caught",
    "rolled all of it back",
    (_, { step }) => step("a", async (tx) => tx.query("SELECT 1/0").catch(() => 1)),
  ],
])("%s is a clear error, and nothing of it is remembered", async (_, says, handler) => {
  const queue = stage.nextQueue();
  const errors: Error[] = [];
  await runOne(queue, async (job, context) => {
    try {
      await handler(job, context);
    } catch (error) {
      errors.push(error as Error);
    }
    throw new Error("ends here");
  });
  expect(errors.length).toBeGreaterThan(0);
  for (const error of errors) expect(`${(error as { code?: string }).code ?? ""}: ${error.message}`).toContain(says);
  const kept = await stepsOf(queue.name);
  expect(kept.filter(({ name, value }) => !(name === "a" && value === 1))).toEqual([]);
});

test("a job has at most 256 steps, also over several runs", async () => {
  const queue = stage.nextQueue();
  const refused: unknown[] = [];
  await runOne(queue, async (job, { step }) => {
    if (job.attempt === 1) {
      for (let n = 0; n < 256; n++) await step(`s${n}`, async () => n);
      await step("one too many", async () => 0).catch((error: unknown) => refused.push(error));
      throw new Error("again");
    }
    await step("another name", async () => 0).catch((error: unknown) => refused.push(error));
    for (let n = 0; n < 255; n++) expect(await step(`s${n}`, () => Promise.reject(new Error("called again")))).toBe(n);
  });
  expect(refused).toHaveLength(2);
  for (const error of refused) expect(error).toMatchObject({ code: "INVALID_STEP" });
});

test("a job that was given to another worker does no step", async () => {
  const queue = stage.nextQueue();
  const begun = gate();
  const goOn = gate();
  const lost = Promise.withResolvers<unknown>();
  let calls = 0;
  const worker = queue.work(async (job, { step }) => {
    await step("one", async () => 1);
    if (job.attempt > 1) return;
    begun.open();
    await goOn.opened;
    await step("two", async () => calls++).catch((error: unknown) => {
      lost.resolve(error);
      throw error;
    });
  });
  worker.on("error", () => undefined);
  const { id } = await queue.add({ n: 1 });
  await begun.opened;
  // As the rescuer does when it gives the job away.
  await stage.pool.query("UPDATE keyline.job SET attempts = attempts + 1 WHERE queue = $1 AND id = $2", [queue.name, id]);
  goOn.open();
  expect(await lost.promise).toMatchObject({ code: "LEASE_LOST" });
  expect(calls).toBe(0);
  expect((await stepsOf(queue.name)).map(({ name }) => name)).toEqual(["one"]);
  await worker.stop();
});

test("two copies of a job do each step once", async () => {
  const queue = stage.nextQueue();
  const { id } = await queue.add({ n: 1 });
  const [element = ""] = await eventuallyWaiting(queue.name);
  await stage.valkey.lpush(`${stage.prefix}:{${queue.name}}:waiting`, element.replace(`"id":"${id}",`, `"id":"${id}","again":true,`));
  let calls = 0;
  const both = gate();
  const all = gate();
  let runs = 0;
  let ended = 0;
  const worker = queue.work(
    async (_, { step }) => {
      if (++runs === 2) both.open();
      await both.opened;
      for (const name of ["a", "b", "c"]) {
        await step(name, async (tx) => {
          calls++;
          await stage.write(tx, queue.name, 1);
        });
      }
      if (++ended === 2) all.open();
      await all.opened;
    },
    { concurrency: 2 },
  );
  worker.on("error", () => undefined);
  await eventually("it has ended", async () => (await stage.rowsOf(queue.name)).length === 0);
  await worker.stop();
  expect(runs).toBe(2);
  expect(calls).toBe(3);
  expect(await stage.effectsOf(queue.name)).toEqual([1, 1, 1]);
});

async function eventuallyWaiting(queue: string): Promise<string[]> {
  await eventually("the job is on Valkey", async () => (await stage.waiting(queue)).length === 1);
  return stage.waiting(queue);
}

test("a dead letter keeps its steps until it is redriven, and loses them when it is discarded", async () => {
  const queue = stage.nextQueue();
  let calls = 0;
  let mayEnd = false;
  const handler: SettlingHandler<N> = async (_, { step }) => {
    await step("once", async () => calls++);
    if (!mayEnd) throw new Error("not yet");
  };
  expect(await runOne(queue, handler)).toBeInstanceOf(Error);
  expect(await stepsOf(queue.name)).toHaveLength(1);
  mayEnd = true;
  const worker = queue.work(handler);
  const completed = gate();
  worker.on("completed", () => completed.open());
  await queue.redrive({ all: true });
  await completed.opened;
  await worker.stop();
  expect(calls).toBe(1);
  expect(await stepsOf(queue.name)).toEqual([]);

  mayEnd = false;
  await runOne(queue, handler);
  expect(await stepsOf(queue.name)).toHaveLength(1);
  await queue.discard({ all: true });
  expect(await stepsOf(queue.name)).toEqual([]);
});

test("on a plain queue step says that it is not transactional", async () => {
  const queue = stage.keyline().queue<N>("plain-steps", { maxAttempts: 1 });
  const dead = Promise.withResolvers<Error>();
  const handler = async (_: Job<N>, context?: unknown): Promise<void> => {
    await (context as Parameters<SettlingHandler<N>>[1]).step("a", async () => 1);
  };
  const worker = queue.work(handler);
  worker.on("dead", (_, error) => dead.resolve(error));
  await queue.add({ n: 1 });
  expect(await dead.promise).toMatchObject({ code: "NOT_TRANSACTIONAL" });
  await worker.stop();
});
