import { Discard, Keyline, KeylineError, Snooze, type Job } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { eventually, gate, openStage, type Stage } from "../support/stage.ts";
import { lettersOf } from "../support/letters.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

let queues = 0;
const nextName = (): string => `q${queues++}`;

describe("a plain queue", () => {
  test("runs every job once, in the order of adding", async () => {
    const keyline = stage.keyline();
    const queue = keyline.queue<{ n: number }>(nextName());
    const seen: number[] = [];
    const results = await Promise.all(Array.from({ length: 300 }, (_, n) => queue.add({ n })));
    expect(new Set(results.map((result) => result.id)).size).toBe(300);
    expect(results.every((result) => result.added)).toBe(true);
    const worker = queue.work((job) => {
      expect(job.attempt).toBe(1);
      seen.push(job.data.n);
    });
    await eventually("all jobs ran", () => seen.length === 300);
    expect(seen).toEqual(Array.from({ length: 300 }, (_, n) => n));
    await worker.stop();
    expect(await queue.counts()).toEqual({
      waiting: 0,
      running: 0,
      scheduled: 0,
      dead: 0,
      dropped: 0,
      blocked: 0,
      parked: 0,
      paused: false,
      oldestWaitingAt: undefined,
      isFromRows: false,
    });
  });

  test("runs as many jobs at a time as its concurrency says, and no more", async () => {
    const queue = stage.keyline().queue<{ n: number }>(nextName());
    let running = 0;
    let most = 0;
    let done = 0;
    const worker = queue.work(
      async () => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, 2));
        running--;
        done++;
      },
      { concurrency: 7 },
    );
    await queue.addMany(Array.from({ length: 200 }, (_, n) => ({ data: { n } })));
    await eventually("all jobs ran", () => done === 200);
    expect(most).toBe(7);
    await worker.stop();
  });

  test("takes a job that any language added with one LPUSH, and keeps its unknown fields through a retry", async () => {
    const name = nextName();
    const queue = stage.keyline().queue<{ x: number }>(name, { backoff: { type: "fixed", delay: 5_000 } });
    const failed = gate();
    const worker = queue.work((job) => {
      if (job.id === "fails") throw new Error("not yet");
    });
    worker.on("retried", () => failed.open());
    await stage.valkey.lpush(
      `${stage.prefix}:{${name}}:waiting`,
      ' { "trace" : "abc", "data": {"x": 1}, "id":"fails", "big": 12345678901234567890 }',
    );
    await failed.opened;
    const [element] = await stage.valkey.zrange(`${stage.prefix}:{${name}}:scheduled`, 0, -1);
    expect(element?.slice(0, element.indexOf(',"history"'))).toBe(
      '{"attempts":1,"trace" : "abc", "data": {"x": 1}, "id":"fails", "big": 12345678901234567890 ',
    );
    await worker.stop();
  });

  test.each([
    ["text that is no JSON", "{not json"],
    ["a JSON value that is no object", "[1,2]"],
    ["an object without an id", '{"data":1}'],
    ["an object without data", '{"id":"1"}'],
    ["a payload with __proto__", '{"id":"1","data":{"__proto__":{"polluted":true}}}'],
    ["a payload with an escaped __proto__", '{"id":"1","data":{"a":[{"\\u005f_proto__":{"polluted":true}}]}}'],
    ["a payload with constructor.prototype", '{"id":"1","data":{"constructor":{"prototype":{"polluted":true}}}}'],
  ])("makes a dead letter of %s, and goes on", async (_, element) => {
    const name = nextName();
    const queue = stage.keyline().queue<{ n: number }>(name);
    const ran = gate();
    const worker = queue.work(() => ran.open());
    await stage.valkey.lpush(`${stage.prefix}:{${name}}:waiting`, element);
    await queue.add({ n: 1 });
    await ran.opened;
    await eventually("it is a dead letter", async () => (await queue.counts()).dead === 1);
    const [letter] = await lettersOf(queue);
    expect(letter?.reason).toMatch(/^INVALID_ELEMENT: The element is not valid: /);
    expect(letter?.data).toBe(element);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
    await worker.stop();
  });

  test("tries a job again with growing waits, then makes it a dead letter, and redrives it", async () => {
    const queue = stage.keyline().queue<{ n: number }>(nextName(), {
      maxAttempts: 3,
      backoff: { type: "exponential", delay: 10, jitter: 0 },
    });
    const attempts: number[] = [];
    const waits: number[] = [];
    let isFixed = false;
    const dead = gate();
    const completed = gate();
    const worker = queue.work((job) => {
      attempts.push(job.attempt);
      if (!isFixed) throw new Error("out of paper");
    });
    worker.on("retried", (_, error, delayMs) => {
      expect(error.message).toBe("out of paper");
      waits.push(delayMs);
    });
    worker.on("dead", (job, error) => {
      expect(job?.data).toEqual({ n: 1 });
      expect(error.message).toBe("out of paper");
      dead.open();
    });
    worker.on("completed", () => completed.open());
    const { id } = await queue.add({ n: 1 });
    await dead.opened;
    expect(attempts).toEqual([1, 2, 3]);
    expect(waits).toEqual([10, 20]);
    expect(await lettersOf(queue)).toMatchObject([{ id, reason: "Error: out of paper", attempts: 3, data: { n: 1 } }]);
    isFixed = true;
    expect(await queue.redrive({ all: true })).toBe(1);
    await completed.opened;
    expect(attempts).toEqual([1, 2, 3, 1]);
    expect((await queue.counts()).dead).toBe(0);
    await worker.stop();
  });

  test("a handler can snooze a job without spending an attempt, and discard one at once", async () => {
    const queue = stage.keyline().queue<"snooze" | "discard">(nextName());
    const runs: [string, number][] = [];
    const dead = gate();
    const completed = gate();
    const worker = queue.work((job) => {
      runs.push([job.data, job.attempt]);
      if (job.data === "discard") throw new Discard("no such address");
      if (runs.filter(([data]) => data === "snooze").length < 3) throw new Snooze(10);
    });
    worker.on("dead", () => dead.open());
    worker.on("completed", () => completed.open());
    await queue.add("snooze");
    await queue.add("discard");
    await Promise.all([dead.opened, completed.opened]);
    expect(runs.filter(([data]) => data === "snooze")).toEqual([
      ["snooze", 1],
      ["snooze", 1],
      ["snooze", 1],
    ]);
    expect(runs.filter(([data]) => data === "discard")).toEqual([["discard", 1]]);
    await worker.stop();
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, -1])(
    "a snooze of %s milliseconds is a failed attempt, and loses nothing",
    async (ms) => {
      const queue = stage.keyline().queue<null>(nextName(), { maxAttempts: 1 });
      const dead = Promise.withResolvers<Error>();
      const worker = queue.work(() => {
        throw new Snooze(ms);
      });
      worker.on("dead", (_, error) => dead.resolve(error));
      await queue.add(null);
      expect(await dead.promise).toMatchObject({ code: "INVALID_OPTION" });
      expect((await queue.counts()).dead).toBe(1);
      await worker.stop();
    },
  );

  test("waits for whatever has a then, as query builders do", async () => {
    const queue = stage.keyline().queue<null>(nextName(), { maxAttempts: 1 });
    const dead = Promise.withResolvers<Error>();
    // oxlint-disable-next-line unicorn/no-thenable -- what query builders are
    const worker = queue.work(() => ({ then: (_: unknown, reject: (error: Error) => void) => setTimeout(reject, 5, new Error("late")) }));
    worker.on("dead", (_, error) => dead.resolve(error));
    await queue.add(null);
    expect((await dead.promise).message).toBe("late");
    await worker.stop();
  });

  test("adds a job with the caller's own id once for as long as it is not settled", async () => {
    const queue = stage.keyline().queue<{ n: number }>(nextName());
    expect(await queue.add({ n: 1 }, { id: "order-7" })).toEqual({ id: "order-7", added: true });
    expect(await queue.add({ n: 2 }, { id: "order-7" })).toEqual({ id: "order-7", added: false });
    expect(await queue.addMany([{ data: { n: 3 }, id: "a" }, { data: { n: 4 } }, { data: { n: 5 }, id: "a" }])).toMatchObject([
      { id: "a", added: true },
      { added: true },
      { id: "a", added: false },
    ]);
    const seen: number[] = [];
    const worker = queue.work((job) => void seen.push(job.data.n));
    await eventually("all are settled", async () => seen.length === 3 && (await queue.counts()).running === 0);
    expect(seen.toSorted((one, other) => one - other)).toEqual([1, 3, 4]);
    await worker.stop();
    expect(await queue.add({ n: 6 }, { id: "order-7" })).toEqual({ id: "order-7", added: true });
  });

  test("hands a batch handler what there is, up to its size", async () => {
    const queue = stage.keyline().queue<{ n: number }>(nextName());
    await queue.addMany(Array.from({ length: 250 }, (_, n) => ({ data: { n } })));
    const sizes: number[] = [];
    const seen: number[] = [];
    const worker = queue.workBatch(
      (jobs) => {
        sizes.push(jobs.length);
        for (const job of jobs) seen.push(job.data.n);
      },
      { size: 100 },
    );
    await eventually("all jobs ran", () => seen.length === 250);
    expect(seen).toEqual(Array.from({ length: 250 }, (_, n) => n));
    expect(sizes).toEqual([100, 100, 50]);
    await worker.stop();
  });

  test("a late job does not wait for a batch to fill up", async () => {
    const queue = stage.keyline().queue<{ n: number }>(nextName());
    const sizes: number[] = [];
    const worker = queue.workBatch((jobs) => void sizes.push(jobs.length), { size: 100 });
    await queue.add({ n: 1 });
    await eventually("it ran", () => sizes.length === 1);
    await worker.stop();
  });

  test("emits idle once when there is nothing left to do", async () => {
    const queue = stage.keyline().queue<{ n: number }>(nextName());
    const events: string[] = [];
    const worker = queue.work(() => void events.push("ran"), { concurrency: 4 });
    worker.on("idle", () => events.push("idle"));
    await eventually("it is idle", () => events.length === 1);
    await queue.addMany([{ data: { n: 1 } }, { data: { n: 2 } }, { data: { n: 3 } }]);
    await eventually("it is idle again", () => events.length >= 5);
    await worker.stop();
    expect(events).toEqual(["idle", "ran", "ran", "ran", "idle"]);
  });

  test("has no settle", async () => {
    const queue = stage.keyline().queue<{ n: number }>(nextName(), { maxAttempts: 1 });
    const failure = Promise.withResolvers<Error>();
    const worker = queue.work((async (_job: Job<{ n: number }>, context: { settle(work: () => Promise<void>): Promise<void> }) => {
      await context.settle(async () => undefined);
    }) as (job: Job<{ n: number }>) => Promise<void>);
    worker.on("dead", (_, error) => failure.resolve(error));
    await queue.add({ n: 1 });
    expect(await failure.promise).toMatchObject({ code: "NOT_TRANSACTIONAL" });
    await worker.stop();
  });
});

describe("a handler", () => {
  test("that never returns has failed when its time is up, its signal is aborted, and its place is free", async () => {
    const queue = stage.keyline().queue<{ n: number }>(nextName(), { maxAttempts: 1 });
    let reason: unknown;
    const ran = gate();
    const dead = Promise.withResolvers<Error>();
    const worker = queue.work(
      (job) => {
        if (job.data.n === 2) return ran.open();
        job.signal.addEventListener("abort", () => (reason = job.signal.reason));
        return new Promise(() => undefined);
      },
      { timeout: 50 },
    );
    worker.on("dead", (_, error) => dead.resolve(error));
    await queue.add({ n: 1 });
    await queue.add({ n: 2 });
    expect(await dead.promise).toMatchObject({ code: "TIMEOUT" });
    expect(reason).toMatchObject({ code: "TIMEOUT" });
    await ran.opened;
    await worker.stop();
  });

  test("that throws something else than an error is tried again like any other", async () => {
    const queue = stage.keyline().queue<{ n: number }>(nextName(), { maxAttempts: 2, backoff: () => Number.NaN });
    const retried = Promise.withResolvers<Error>();
    const worker = queue.work(() => {
      // oxlint-disable-next-line no-throw-literal -- what users do
      throw "a string";
    });
    worker.on("retried", (_, error, delayMs) => {
      expect(delayMs).toBe(1_000);
      retried.resolve(error);
    });
    await queue.add({ n: 1 });
    expect((await retried.promise).message).toBe("a string");
    await worker.stop();
  });
});

describe("stopping a worker", () => {
  test("waits for what runs and gives back what has not started", async () => {
    const queue = stage.keyline().queue<{ n: number }>(nextName());
    const started = gate();
    const release = gate();
    const done: number[] = [];
    const worker = queue.work(async (job) => {
      started.open();
      await release.opened;
      done.push(job.data.n);
    });
    await queue.addMany(Array.from({ length: 5 }, (_, n) => ({ data: { n } })));
    await started.opened;
    const stopping = worker.stop();
    release.open();
    await stopping;
    expect(done).toEqual([0]);
    expect(await queue.counts()).toMatchObject({ waiting: 4, running: 0 });
  });

  test("with a timeout aborts what still runs and gives it back without counting the attempt", async () => {
    const name = nextName();
    const queue = stage.keyline().queue<{ n: number }>(name);
    const started = gate();
    let reason: unknown;
    const worker = queue.work((job) => {
      started.open();
      job.signal.addEventListener("abort", () => (reason = job.signal.reason));
      return new Promise(() => undefined);
    });
    await queue.add({ n: 1 });
    await started.opened;
    await worker.stop({ timeout: 50 });
    expect(reason).toMatchObject({ code: "STOPPED" });
    expect(await queue.counts()).toMatchObject({ waiting: 1, running: 0 });
    const [element] = await stage.valkey.lrange(`${stage.prefix}:{${name}}:waiting`, 0, -1);
    expect(element).not.toContain("attempts");
  });

  test("leaves no job behind when jobs arrive while it stops", async () => {
    const queue = stage.keyline().queue<{ n: number }>(nextName());
    let done = 0;
    let added = 0;
    for (let round = 0; round < 15; round++) {
      const worker = queue.work(() => void done++, { concurrency: 3 });
      const adding = (async () => {
        for (let n = 0; n < 20; n++, added++) await queue.add({ n });
      })();
      await new Promise((resolve) => setTimeout(resolve, round));
      await worker.stop();
      await adding;
      const { waiting, running } = await queue.counts();
      expect(running).toBe(0);
      expect(waiting + done).toBe(added);
    }
  });
});

describe("bad input is refused before anything is sent", () => {
  const code = (expected: string): object => expect.objectContaining({ code: expected }) as object;

  test("names", () => {
    const keyline = stage.keyline();
    for (const name of ["", "a{b}", "a\nb", "a b", "ü", "x".repeat(201), "a*"]) {
      expect(() => keyline.queue(name), name).toThrow(code("INVALID_NAME"));
    }
    expect(() => stage.keyline({ prefix: "a{" })).toThrow(code("INVALID_NAME"));
  });

  test("payloads", async () => {
    const name = nextName();
    const queue = stage.keyline().queue(name, { maxPayloadBytes: 100 });
    const circular: Record<string, unknown> = {};
    circular["self"] = circular;
    await expect(queue.add("x".repeat(99))).rejects.toThrow(code("PAYLOAD_TOO_LARGE"));
    await expect(queue.add("ü".repeat(50))).rejects.toThrow(code("PAYLOAD_TOO_LARGE"));
    await expect(queue.add("x".repeat(98))).resolves.toMatchObject({ added: true });
    await expect(queue.add(undefined)).rejects.toThrow(code("NOT_SERIALIZABLE"));
    await expect(queue.add(() => undefined)).rejects.toThrow(code("NOT_SERIALIZABLE"));
    await expect(queue.add(1n)).rejects.toThrow(code("NOT_SERIALIZABLE"));
    await expect(queue.add(circular)).rejects.toThrow(code("NOT_SERIALIZABLE"));
    await expect(queue.add(JSON.parse('{"a":{"__proto__":1}}'))).rejects.toThrow(code("FORBIDDEN_KEY"));
    await expect(queue.addMany([{ data: 1 }, { data: 1n }])).rejects.toThrow(code("NOT_SERIALIZABLE"));
    expect(await stage.valkey.llen(`${stage.prefix}:{${name}}:waiting`)).toBe(1);
  });

  test("data that the schema rejects, with the schema's own issues", async () => {
    const queue = stage.keyline().queue(nextName(), { schema: z.object({ to: z.email(), copies: z.number().default(1) }) });
    const refusal = await queue.add({ to: "nobody" }).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: "VALIDATION_FAILED", issues: [{ path: "to" }] });
    expect(refusal).toBeInstanceOf(KeylineError);
    const got = Promise.withResolvers<unknown>();
    const worker = queue.work((job) => got.resolve(job.data));
    await queue.add({ to: "a@example.com" });
    expect(await got.promise).toEqual({ to: "a@example.com", copies: 1 });
    await worker.stop();
  });

  test("data of a foreign writer that the schema rejects is a dead letter at once", async () => {
    const name = nextName();
    const queue = stage.keyline().queue(name, { schema: z.object({ to: z.email() }) });
    const dead = Promise.withResolvers<Error>();
    const worker = queue.work(() => undefined);
    worker.on("dead", (_, error) => dead.resolve(error));
    await stage.valkey.lpush(`${stage.prefix}:{${name}}:waiting`, '{"id":"1","data":{"to":5}}');
    expect(await dead.promise).toMatchObject({ code: "VALIDATION_FAILED" });
    await worker.stop();
  });

  test("options", async () => {
    const keyline = stage.keyline();
    const queue = keyline.queue<number>(nextName());
    for (const options of [{ maxAttempts: 0 }, { lease: 1 }, { maxPayloadBytes: -1 }, { backoff: { type: "fixed", jitter: 2 } }] as const) {
      expect(() => keyline.queue(nextName(), options)).toThrow(code("INVALID_OPTION"));
    }
    expect(() => keyline.queue(nextName(), { backoff: { type: "linear" } as never })).toThrow(code("INVALID_OPTION"));
    expect(() => keyline.queue(queue.name, { maxAttempts: 2 })).toThrow(code("INVALID_OPTION"));
    expect(keyline.queue(queue.name)).toBe(queue);
    expect(() => queue.work(() => undefined, { concurrency: 0 })).toThrow(code("INVALID_OPTION"));
    expect(() => queue.work(() => undefined, { timeout: 1.5 })).toThrow(code("INVALID_OPTION"));
    expect(() => queue.workBatch(() => undefined, { size: 0 })).toThrow(code("INVALID_OPTION"));
    await expect(queue.add(1, { id: "a b" })).rejects.toThrow(code("INVALID_ID"));
    await expect(queue.add(1, { maxAttempts: 0 })).rejects.toThrow(code("INVALID_OPTION"));
    await expect(queue.add(1, { dealy: 5 } as never)).rejects.toThrow(/add has no option "dealy"/);
    await expect(queue.add(1, { tx: stage.pool } as never)).rejects.toThrow(code("NOT_TRANSACTIONAL"));
    expect(() => queue.deadLetters({ limit: 0 })).toThrow(code("INVALID_OPTION"));
  });

  test("addresses, without telling the password", () => {
    for (const valkey of ["http://localhost", "nonsense", "valkey://h/x", { cluster: [] }, { sentinels: [], name: "a" }]) {
      expect(() => stage.keyline({ valkey }), JSON.stringify(valkey)).toThrow(code("INVALID_OPTION"));
    }
    expect(() => stage.keyline({ valkey: "http://user:secret@localhost" })).toThrow(/user:\*\*\*@localhost/);
  });

  test("use after close", async () => {
    const keyline = stage.keyline();
    const queue = keyline.queue<number>(nextName());
    await keyline.close();
    await expect(queue.add(1)).rejects.toThrow(code("CLOSED"));
    expect(() => queue.work(() => undefined)).toThrow(code("CLOSED"));
    expect(() => keyline.queue("other")).toThrow(code("CLOSED"));
  });

  test("a transactional queue without PostgreSQL", async () => {
    const keyline = new Keyline({ valkey: stage.valkeyUrl, prefix: stage.prefix });
    expect(() => keyline.queue(nextName(), { transactional: true })).toThrow(code("POSTGRES_REQUIRED"));
    expect(() => keyline.migrate()).toThrow(code("POSTGRES_REQUIRED"));
    expect(() => keyline.transaction(async () => 1)).toThrow(code("POSTGRES_REQUIRED"));
    await keyline.close();
  });
});
