import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Queue, WorkOptions } from "keyline";
import { openEffectsStage, type EffectsStage } from "../../support/effects-stage.ts";
import { eventually } from "../../support/stage.ts";

type Data = { readonly do: string; readonly n?: number; readonly queue?: string; readonly transactional?: boolean };

let stage: EffectsStage;
beforeAll(async () => {
  stage = await openEffectsStage();
});
afterAll(() => stage.close());

const file = (name: string): URL => new URL(`./handlers/${name}.ts`, import.meta.url);
let names = 0;

function nextQueue(): Queue<Data, Data, true> {
  return stage.keyline().queue<Data>(`isolated${names++}`, {
    transactional: true,
    keepResult: 60_000,
    maxAttempts: 2,
    backoff: { type: "fixed", delay: 10, jitter: 0 },
  });
}

describe.each(["thread", "process"] as const)("in a %s", (isolate) => {
  async function run(
    data: Data,
    options: WorkOptions = {},
  ): Promise<{ readonly result: unknown; readonly retried: Error[]; readonly queue: Queue<Data, Data, true> }> {
    const queue = nextQueue();
    const retried: Error[] = [];
    const worker = queue.work(file("various"), { isolate, ...options });
    worker.on("retried", (_, error) => retried.push(error));
    const { id } = await queue.add(data);
    try {
      const result = await queue.waitFor(id, { timeout: 30_000 });
      return { result, retried, queue };
    } finally {
      await worker.stop();
    }
  }

  test("a handler gets its job and what it returns is the result", async () => {
    const { result, queue } = await run({ do: "fields" });
    expect(result).toMatchObject({ queue: queue.name, attempt: 1, data: { do: "fields" } });
    const { pid } = result as { pid: number };
    expect(pid === process.pid).toBe(isolate === "thread");
  });

  test("steps, sleeps, progress and settle work as in this thread, over the same transaction", async () => {
    const { result, queue } = await run({ do: "steps" });
    expect(result).toEqual({ one: 2 });
    expect(await stage.effectsOf(queue.name)).toEqual([1, 2]);
    expect(await stage.rowsOf(queue.name)).toEqual([]);
  });

  test.each([{ transactional: false }, { transactional: true }])(
    "a parent is given what its children came to, and waits for those that it has (transactional: $transactional)",
    async ({ transactional }) => {
      const keyline = stage.keyline();
      const rules = { transactional } as { transactional: true };
      const [parents, children] = [keyline.queue<Data>(`isolated${names++}`, rules), keyline.queue<Data>(`isolated${names++}`, rules)];
      const workers = [parents.work(file("various"), { isolate }), children.work((job) => job.data.n)];
      const below = [1, 2].map((n) => ({ queue: children, data: { do: "", n } }));
      const { id } = await parents.add({ do: "family" }, { keepResult: 60_000, children: below });
      expect(await parents.waitFor(id, { timeout: 30_000 })).toEqual([1, 2]);
      await Promise.all(workers.map((worker) => worker.stop()));
    },
  );

  test.each([{ transactional: false }, { transactional: true }])(
    "a handler adds children to queues that it names, once, and what is no family is refused (transactional: $transactional)",
    async ({ transactional }) => {
      const keyline = stage.keyline();
      const rules = { transactional } as { transactional: true };
      const [parents, children] = [keyline.queue<Data>(`isolated${names++}`, rules), keyline.queue<Data>(`isolated${names++}`, rules)];
      const ran: unknown[] = [];
      const workers = [parents.work(file("various"), { isolate }), children.work((job) => (ran.push(job.data.n), job.data.n))];
      const split = await parents.add({ do: "split", queue: children.name, transactional }, { keepResult: 60_000 });
      expect(await parents.waitFor(split.id, { timeout: 30_000 })).toEqual([1, 2]);
      expect(new Set(ran)).toEqual(new Set([1, 2, 3]));
      const refused = await parents.add({ do: "refused", transactional }, { keepResult: 60_000 });
      const codes = (await parents.waitFor(refused.id, { timeout: 30_000 })) as string[];
      expect(codes.slice(0, 4)).toEqual([
        "INVALID_OPTION",
        "children[0].queue is nobody, which the worker's Keyline has not: make it there with keyline.queue",
        "INVALID_OPTION",
        expect.stringContaining("has itself inside"),
      ]);
      expect(codes.slice(4).filter((_, index) => index % 2 === 0)).toEqual(
        transactional ? ["NOT_IN_TRANSACTION", "NOT_IN_TRANSACTION"] : [],
      );
      expect(await parents.counts()).toMatchObject({ waiting: 0, scheduled: 0, parked: 0, dead: 0 });
      await Promise.all(workers.map((worker) => worker.stop()));
    },
  );

  test("effects that throw are rolled back, and the error is the attempt's", async () => {
    const failed = run({ do: "bad effects" });
    await expect(failed).rejects.toMatchObject({ code: "JOB_DEAD" });
    expect(await stage.effectsOf(`isolated${names - 1}`)).toEqual([]);
  });

  test("an error keeps its message, code and stack, and the next attempt is another one", async () => {
    const queue = nextQueue();
    const dead = Promise.withResolvers<Error>();
    const worker = queue.work(file("various"), { isolate });
    worker.on("dead", (_, error) => dead.resolve(error));
    await queue.add({ do: "throw" });
    const error = await dead.promise;
    expect(error).toMatchObject({ message: "it did not work", code: "E_MINE" });
    expect(error.stack).toContain("various.ts");
    await worker.stop();
  });

  test("an endless loop is ended at its timeout, costs no lease, and takes nobody along", async () => {
    const queue = nextQueue();
    const errors: Error[] = [];
    const retried: Error[] = [];
    const worker = queue.work(file("various"), { isolate, concurrency: 3, timeout: 4_000 });
    worker.on("error", (error) => errors.push(error));
    worker.on("retried", (_, error) => retried.push(error));
    const { id } = await queue.add({ do: "loop" });
    const others = await queue.addMany(Array.from({ length: 10 }, (_, n) => ({ data: { do: "number", n } })));
    const results = await Promise.all(others.map((other) => queue.waitFor(other.id, { timeout: 60_000 })));
    expect(results).toEqual(Array.from({ length: 10 }, (_, n) => n));
    expect(await queue.waitFor(id, { timeout: 60_000 })).toBe("once");
    expect(retried.filter((error) => (error as { code?: string }).code === "TIMEOUT").length).toBe(1);
    expect(errors).toEqual([]);
    await worker.stop();
  }, 90_000);

  test("its signal is aborted at its timeout, in time to end by itself", async () => {
    const { result, retried } = await run({ do: "signal" }, { timeout: 3_000 });
    expect(result).toBe("ended");
    expect(retried[0]).toMatchObject({ code: "TIMEOUT" });
  });

  test.each(isolate === "process" ? ["exit", "kill"] : ["exit"])("one that ends by %s is a failed attempt with its reason", async (how) => {
    const { result, retried } = await run({ do: how });
    expect(result).toBe("once");
    expect(retried[0]).toMatchObject({ code: "HANDLER_DIED" });
    expect(retried[0]?.message).toMatch(how === "kill" ? /ended by SIGKILL/ : /ended with code 3/);
  });

  test("what cannot leave it is a failed attempt that says so", async () => {
    const queue = nextQueue();
    const dead = Promise.withResolvers<Error>();
    const worker = queue.work(file("various"), { isolate });
    worker.on("dead", (_, error) => dead.resolve(error));
    await queue.add({ do: "bigint" });
    expect(await dead.promise).toMatchObject({ code: "NOT_SERIALIZABLE" });
    await worker.stop();
  });

  test.each([
    ["nothing", "exports no handler"],
    ["broken", "it cannot be loaded"],
  ])("a file that exports %s is the worker's error, and nothing is taken", async (name, says) => {
    const queue = nextQueue();
    const failed = Promise.withResolvers<Error>();
    const worker = queue.work(file(name), { isolate });
    worker.on("error", (error) => failed.resolve(error));
    await queue.add({ do: "number" });
    const error = await failed.promise;
    expect(error).toMatchObject({ code: "INVALID_HANDLER" });
    expect(error.message).toContain(says);
    expect(error.message).toContain(file(name).href);
    await eventually("the job waits", async () => (await queue.counts()).waiting === 1);
    expect((await stage.rowsOf(queue.name)).map(({ attempts }) => attempts)).toEqual([0]);
    await worker.stop();
  });
});

test("what is no handler, and no way to isolate one, is refused at once", () => {
  const queue = nextQueue();
  const refused = (handler: unknown, options: unknown): { readonly code?: unknown; readonly message?: string } => {
    try {
      queue.work(handler as URL, options as WorkOptions);
      return {};
    } catch (error) {
      return error as Error;
    }
  };
  const refusal = (handler: unknown, options: unknown): unknown => refused(handler, options).code;
  expect(refused(file("not there"), { isolate: "thread" })).toMatchObject({
    code: "INVALID_HANDLER",
    message: expect.stringContaining(file("not there").href) as string,
  });
  expect(refusal(file("various"), {})).toBe("INVALID_OPTION");
  expect(refusal(file("various"), { isolate: "cluster" })).toBe("INVALID_OPTION");
  expect(refusal(() => undefined, { isolate: "thread" })).toBe("INVALID_OPTION");
  expect(refusal(new URL("https://example.com/handler.js"), { isolate: "process" })).toBe("INVALID_OPTION");
});
