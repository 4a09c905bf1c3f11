import { Snooze, type FailedAttempt } from "keyline";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { splitHistory, stackOf, withFailure } from "../../../src/queue/worker/attempt-history.ts";
import { openEither, type EitherQueue } from "../../support/either-queue.ts";
import { lettersOf } from "../../support/letters.ts";
import { startProcess } from "../../support/processes.ts";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

const slack = 10;
const failed = (n: number): FailedAttempt => ({ at: 1_700_000_000_000 + n, tookMs: n, error: `Error: ${n} "},"history":[]}` });

describe("the history in an element", () => {
  test("comes behind everything else, is replaced by the longer one, and leaves the rest as it is", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.dictionary(fc.string(), fc.jsonValue()), fc.integer({ min: 1, max: 30 }), (data, others, count) => {
        delete others["history"];
        delete others["gone"];
        const raw = JSON.stringify({ ...others, id: "a", data: data as unknown });
        let text = raw;
        for (let n = 0; n < count; n++) text = withFailure(text, failed(n));
        const { rest, history, gone } = splitHistory(text);
        expect(rest).toBe(raw);
        expect(gone).toEqual([]);
        expect(history).toEqual(Array.from({ length: count }, (_, n) => failed(n)).slice(-20));
      }),
    );
  });

  test("has the stack of the newest attempt alone", () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.string({ minLength: 1 }), { nil: undefined }), { minLength: 1, maxLength: 30 }), (stacks) => {
        let text = '{"id":"a","data":1}';
        stacks.forEach((stack, n) => (text = withFailure(text, { ...failed(n), stack })));
        const { rest, history } = splitHistory(text);
        expect(rest).toBe('{"id":"a","data":1}');
        expect(history).toHaveLength(Math.min(20, stacks.length));
        expect(history.at(-1)?.stack).toBe(stacks.at(-1));
        expect(history.slice(0, -1).every(({ stack }) => stack === undefined)).toBe(true);
      }),
    );
  });

  test("takes in what a script noted of workers that are gone", () => {
    const once = withFailure('{"id":"a","data":[1]}', failed(1));
    const { rest, gone } = splitHistory(`${once.slice(0, -1)},"gone":[17,18]}`);
    expect(gone.map(({ at, tookMs }) => [at, tookMs])).toEqual([
      [17, undefined],
      [18, undefined],
    ]);
    expect(rest).toBe('{"id":"a","data":[1]}');
    const next = splitHistory(withFailure(`${once.slice(0, -1)},"gone":[17,18]}`, failed(2)));
    expect(next.gone).toEqual([]);
    expect(next.history.map(({ at }) => at)).toEqual([failed(1).at, 17, 18, failed(2).at]);
  });

  test.each(['{"id":"a","data":1,"history":"mine"}', '{"id":"a","data":{"x":1,"gone":[1]}}', '{"id":"a","data":["x",{"history":[]}]}'])(
    "what looks like it and is not is kept: %s",
    (raw) => {
      expect(splitHistory(raw)).toEqual({ rest: raw, history: [], gone: [] });
      expect(splitHistory(withFailure(raw, failed(1))).history).toEqual([failed(1)]);
    },
  );
});

test("a stack tells what caused the error too, and is not too long", () => {
  const error = new Error("outer", { cause: new TypeError("inner") });
  expect(stackOf(error)).toMatch(/^Error: outer\n {4}at [\s\S]*\ncaused by TypeError: inner\n {4}at /);
  error.stack = "\ud83d\ude00".repeat(9_000);
  expect(stackOf(error)).toHaveLength(8_192);
  error.stack = `x${error.stack}`;
  expect(stackOf(error)?.isWellFormed()).toBe(true);
});

describe.each([false, true])("a dead letter (transactional: %s)", (transactional) => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage();
    await stage.keyline().migrate();
  });
  afterAll(() => stage.close());

  const open = <Data>(name: string, maxAttempts: number): EitherQueue<Data> =>
    openEither<Data>(stage.keyline(), name, {
      transactional,
      maxAttempts,
      lease: 5_000,
      backoff: { type: "fixed", delay: 10, jitter: 0 },
    });

  test("tells when each attempt began, how long it took and what its error was; a snooze is none of them", async () => {
    const queue = open<null>("attempts", 3);
    const begun: number[] = [];
    let snoozes = 0;
    const worker = queue.work(async (job) => {
      if (job.attempt === 2 && snoozes++ === 0) throw new Snooze(5);
      begun.push(Date.now());
      await new Promise((resolve) => setTimeout(resolve, 20));
      throw new RangeError(`attempt ${job.attempt} failed`);
    });
    const added = Date.now();
    const { id } = await queue.add(null);
    await eventually("it is dead", async () => (await queue.counts()).dead === 1);
    const now = Date.now();
    await worker.stop();
    const [letter, ...others] = await lettersOf(queue);
    expect(others).toEqual([]);
    expect(letter).toMatchObject({ id, data: null, attempts: 3, reason: "RangeError: attempt 3 failed", group: undefined });
    expect(letter?.stack).toMatch(/^RangeError: attempt 3 failed\n {4}at .*attempt-history\.test\.ts/);
    expect(letter?.history.map(({ error }) => error)).toEqual([1, 2, 3].map((n) => `RangeError: attempt ${n} failed`));
    // Each began after the one before, and not after its handler did; the two clocks that say so are rounded.
    letter?.history.forEach(({ at, tookMs = 0 }, index) => {
      expect(at).toBeGreaterThan((begun[index - 1] ?? added) - slack);
      expect(at).toBeLessThan((begun[index] ?? 0) + slack);
      expect(at + tookMs).toBeGreaterThan((begun[index] ?? 0) + 20 - slack);
    });
    expect(letter?.at).toBeGreaterThan((begun[2] ?? 0) - slack);
    expect(letter?.at).toBeLessThan(now + slack);
    expect(letter?.history).toEqual(letter?.history.toSorted((one, other) => one.at - other.at));
  });

  test("has the stacks of the attempts before it, and a job that waits for its next one has them too", async () => {
    const patient = { transactional, maxAttempts: 3, backoff: { type: "fixed", delay: 3_600_000, jitter: 0 } } as const;
    const queue = openEither<null>(stage.keyline(), "stacks", patient);
    const worker = queue.work((job) => {
      throw new RangeError(`${"x".repeat(job.attempt === 2 ? 2_000 : 10)} ${job.attempt}`, { cause: new TypeError("deeper") });
    });
    const { id } = await queue.add(null);
    const untilFailed = (attempts: number): Promise<void> =>
      eventually(`attempt ${attempts} failed`, async () => {
        const job = await queue.job(id);
        return job?.attempts === attempts && job.state !== "running";
      });
    await untilFailed(1);
    const first = (await queue.job(id))?.history;
    expect(first).toMatchObject([{ stack: expect.stringMatching(/^RangeError: x{10} 1\n {4}at .*attempt-history\.test\.ts/) }]);
    expect(await queue.promote(id)).toBe(true);
    await untilFailed(2);
    const second = (await queue.job(id))?.history ?? [];
    expect(second.map(({ stack }) => stack?.length ?? 0)).toEqual([transactional ? (first?.[0]?.stack?.length ?? NaN) : 0, 1_024]);
    expect(await queue.promote(id)).toBe(true);
    await untilFailed(3);
    await worker.stop();
    const letter = (await lettersOf(queue)).find((one) => one.id === id);
    expect(letter?.stack).toMatch(/^RangeError: x{10} 3\n {4}at [\s\S]*\ncaused by TypeError: deeper\n/);
    expect(letter?.history.map(({ stack }) => stack?.length ?? 0)).toEqual(
      transactional ? [...second.map(({ stack }) => stack?.length), 0] : [0, 0, 0],
    );
    expect((await queue.job(id))?.history).toEqual(letter?.history);
  });

  test("keeps the last 20 of them, with errors of up to 500 characters, through a redrive too", async () => {
    const queue = open<null>("long", 15);
    let attempts = 0;
    const worker = queue.work(() => {
      throw new Error(`${++attempts} ${"\ud83d\ude00".repeat(5_000)}`);
    });
    await queue.add(null);
    await eventually("it is dead", async () => (await queue.counts()).dead === 1);
    expect(await queue.redrive({ all: true })).toBe(1);
    await eventually("it is dead again", async () => attempts === 30 && (await queue.counts()).dead === 1);
    await worker.stop();
    const [letter] = await lettersOf(queue);
    expect(letter?.attempts).toBe(15);
    expect(letter?.history.map(({ error }) => Number(error.split(" ")[1]))).toEqual(Array.from({ length: 20 }, (_, n) => n + 11));
    for (const { error } of letter?.history ?? []) expect(error.length).toBeLessThanOrEqual(500);
  });

  test("has the attempts whose worker was killed in its history, in their order", async () => {
    const queue = open<readonly string[]>("killed", 4);
    let isOver = false;
    let killed = 0;
    const keepOneAlive = (async () => {
      while (!isOver) {
        const { valkeyUrl: valkey, databaseUrl: postgres, prefix } = stage;
        const one = startProcess("failing-worker.ts", { valkey, postgres, prefix, queue: queue.name, transactional });
        await Promise.race([one.exited, eventually("the end", () => isOver, 60_000)]);
        if (!isOver) killed++;
        one.signal("SIGKILL");
        await one.exited;
      }
    })();
    const { id } = await queue.add(["throw", "die", "die", "throw"]);
    await eventually("it is dead", async () => (await queue.counts()).dead === 1, 60_000);
    isOver = true;
    await keepOneAlive;
    const [letter] = await lettersOf(queue);
    // A job whose delivery was not noted before its worker was killed is delivered twice, and its copies count as one.
    expect(killed).toBeGreaterThanOrEqual(2);
    expect(letter).toMatchObject({ id, attempts: 4, reason: "RangeError: attempt 4 failed" });
    const gone = { tookMs: undefined, error: expect.stringMatching(/^WORKER_DIED: /) as string };
    const threw = (n: number): object => ({ tookMs: expect.any(Number) as number, error: `RangeError: attempt ${n} failed` });
    expect(letter?.history).toMatchObject([threw(1), gone, gone, threw(4)]);
    expect(letter?.history).toEqual(letter?.history.toSorted((one, other) => one.at - other.at));
  }, 90_000);

  test("of a job that kills its workers has them in its history, though the first was not told to the row", async () => {
    const queue = open<string>("deadly", 2);
    const base = `${stage.prefix}:{deadly}`;
    if (transactional) {
      const text = "INSERT INTO keyline.job (queue, id, data, delivered_to) VALUES ('deadly', 'poison', '\"x\"', 'somewhere')";
      await stage.pool.query(text);
    }
    await stage.valkey.rpush(`${base}:held:ghost`, '{"attempts":1,"id":"poison","data":"x","gone":[1764000000000]}');
    await stage.valkey.zadd(`${base}:workers`, 1, "ghost");
    const worker = queue.work(() => undefined);
    await eventually("it is dead", async () => (await lettersOf(queue)).length === 1);
    await worker.stop();
    const [letter] = await lettersOf(queue);
    expect(letter).toMatchObject({
      id: "poison",
      attempts: 2,
      stack: undefined,
      reason: expect.stringMatching(/^WORKER_DIED: Job poison/) as string,
    });
    expect(letter?.history.map(({ error }) => error.split(":")[0])).toEqual(["WORKER_DIED", "WORKER_DIED"]);
  });

  test("of a job that failed after a worker was gone of which the row was not told has both in its history", async () => {
    const queue = open<string>("untold", 2);
    const base = `${stage.prefix}:{untold}`;
    if (transactional) {
      const text = "INSERT INTO keyline.job (queue, id, data, delivered_to) VALUES ('untold', 'job', '\"x\"', 'somewhere')";
      await stage.pool.query(text);
    }
    await stage.valkey.rpush(`${base}:waiting`, '{"attempts":1,"id":"job","data":"x","gone":[1764000000000]}');
    const worker = queue.work(() => Promise.reject(new Error("no")));
    await eventually("it is dead", async () => (await lettersOf(queue)).length === 1);
    await worker.stop();
    const [letter] = await lettersOf(queue);
    expect(letter?.history.map(({ error }) => error.split(":")[0])).toEqual(["WORKER_DIED", "Error"]);
    expect(letter?.history[0]?.at).toBe(1764000000000);
  });
});

test("the history of a transactional job survives that Valkey loses everything, and so does its dead letter", async () => {
  const stage = await openStage();
  const keyline = stage.keyline();
  await keyline.migrate();
  const queue = keyline.queue<number>("lost", {
    transactional: true,
    maxAttempts: 2,
    lease: 2_000,
    backoff: { type: "fixed", delay: 2_000 },
  });
  let isFixed = false;
  let completed = 0;
  const worker = queue.work((job) => {
    if (!isFixed) throw new Error(`attempt ${job.attempt} failed`);
  });
  worker.on("error", () => undefined);
  worker.on("completed", () => completed++);
  await queue.add(1);
  await eventually(
    "it has failed once",
    async () => (await stage.pool.query("SELECT FROM keyline.job WHERE attempts = 1")).rows.length === 1,
  );
  await stage.valkey.del(...(await stage.valkey.keys(`${stage.prefix}:*`)));
  await eventually("it is dead", async () => (await queue.counts()).dead === 1, 60_000);
  await stage.valkey.del(...(await stage.valkey.keys(`${stage.prefix}:*`)));
  const [letter] = await lettersOf(queue);
  expect(letter?.history.map(({ error }) => error)).toEqual(["Error: attempt 1 failed", "Error: attempt 2 failed"]);
  isFixed = true;
  expect(await queue.redrive({ all: true })).toBe(1);
  await eventually("it ran", () => completed === 1, 60_000);
  await eventually("it is settled", async () => (await stage.pool.query("SELECT FROM keyline.job")).rows.length === 0);
  await worker.stop();
  await stage.close();
}, 90_000);

test("a job that never fails carries nothing of it", async () => {
  const stage = await openStage();
  const queue = stage.keyline().queue<number>("clean");
  await queue.add(1);
  const [element] = await stage.valkey.lrange(`${stage.prefix}:{clean}:waiting`, 0, -1);
  expect(element).toMatch(/^\{"id":"[^"]+","at":\d+,"data":1\}$/);
  await stage.close();
});
