import { Discard, type Job, type Keyline, type Queue } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openEither, type EitherQueue } from "../../support/either-queue.ts";
import { eventually, gate, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
let keyline: Keyline;
beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  await keyline.migrate();
});
afterAll(() => stage.close());

/** Another process, as far as the stores can tell. */
function elsewhere<Data>(name: string, transactional: boolean): EitherQueue<Data> {
  return openEither<Data>(stage.keyline(), name, { transactional });
}

describe.each([
  ["plain", false],
  ["transactional", true],
] as const)("on a %s queue", (kind, transactional) => {
  const open = <Data>(name: string, rules: { keepResult?: number; maxAttempts?: number } = {}): EitherQueue<Data> =>
    openEither<Data>(keyline, `${kind}-${name}`, { transactional, ...rules });

  test("resolves with what the handler returns, for all who wait in any process", async () => {
    const queue = open<number>("returned", { keepResult: 60_000 });
    const release = gate();
    const worker = queue.work(async (job: Job<number>) => {
      await release.opened;
      return { squared: job.data ** 2 };
    });
    const { id } = await queue.add(7);
    const other = elsewhere<number>(queue.name, transactional);
    const waits = [queue.waitFor(id), queue.waitFor(id), other.waitFor(id)];
    release.open();
    expect(await Promise.all(waits)).toEqual([{ squared: 49 }, { squared: 49 }, { squared: 49 }]);
    await worker.stop();
    // It has ended before these.
    expect(await queue.waitFor(id)).toEqual({ squared: 49 });
    expect(await elsewhere<number>(queue.name, transactional).waitFor(id)).toEqual({ squared: 49 });
  });

  test("keeps the result where the job alone says so, through delays, groups and own ids", async () => {
    const queue = open<string>("by-job");
    const worker = queue.work((job: Job<string>) => `done: ${job.data}`, { concurrency: 4 });
    const ids = [
      await queue.add("at once", { keepResult: 60_000 }),
      await queue.add("later", { keepResult: 60_000, delay: 50 }),
      await queue.add("grouped", { keepResult: 60_000, group: "g" }),
      await queue.add("named", { keepResult: 60_000, id: "named-1" }),
      await queue.add("once", { keepResult: 60_000, deduplicate: { key: "k" } }),
      await queue.add("latest", { keepResult: 60_000, deduplicate: { key: "l", window: 50, keep: "latest" } }),
      ...(await queue.addMany([{ data: "of many", keepResult: 60_000 }])),
    ];
    const results = await Promise.all(ids.map(({ id }) => queue.waitFor(id)));
    expect(results).toEqual(["at once", "later", "grouped", "named", "once", "latest", "of many"].map((text) => `done: ${text}`));
    await worker.stop();
  });

  test("keeps no result where the job says so", async () => {
    const queue = open<string>("not-kept", { keepResult: 60_000 });
    const completed = gate();
    const worker = queue.work(() => "a result");
    worker.on("completed", () => completed.open());
    const { id } = await queue.add("x", { keepResult: 0 });
    await completed.opened;
    await expect(queue.waitFor(id)).rejects.toMatchObject({ code: "JOB_UNKNOWN" });
    await worker.stop();
  });

  test("resolves with undefined where nothing is kept and the job completes", async () => {
    const queue = open<string>("untold");
    const release = gate();
    const started = gate();
    const worker = queue.work(async () => {
      started.open();
      await release.opened;
      return "lost";
    });
    const { id } = await queue.add("x");
    await started.opened;
    const waiting = queue.waitFor(id);
    const key = `${stage.prefix}:{${queue.name}}:tracked`;
    await eventually("workers are told that somebody waits", async () => (await stage.valkey.zscore(key, "ends")) !== null);
    release.open();
    expect(await waiting).toBeUndefined();
    await worker.stop();
  });

  test("goes on through retries, and says what it died of", async () => {
    const queue = openEither<string>(keyline, `${kind}-dies`, {
      transactional,
      keepResult: 60_000,
      maxAttempts: 2,
      backoff: { type: "fixed", delay: 20, jitter: 0 },
    });
    const worker = queue.work((job: Job<string>) => {
      if (job.data === "works at last" && job.attempt === 2) return "second attempt";
      throw new Error(`attempt ${job.attempt}`);
    });
    const [good, bad] = await queue.addMany([{ data: "works at last" }, { data: "never works" }]);
    expect(await queue.waitFor(good?.id ?? "")).toBe("second attempt");
    const waiting = queue.waitFor(bad?.id ?? "");
    await expect(waiting).rejects.toMatchObject({ name: "JobDeadError", code: "JOB_DEAD", reason: "Error: attempt 2", attempts: 2 });
    // Also when it was dead before.
    await expect(queue.waitFor(bad?.id ?? "")).rejects.toMatchObject({ code: "JOB_DEAD", attempts: 2 });
    await worker.stop();
    const again = queue.work(() => "redriven");
    await queue.redrive({ all: true });
    expect(await queue.waitFor(bad?.id ?? "")).toBe("redriven");
    await again.stop();
  });

  test("says that it was cancelled, also when that was before", async () => {
    const queue = open<string>("cancelled", { keepResult: 60_000 });
    const { id } = await queue.add("x");
    const waiting = expect(queue.waitFor(id)).rejects.toMatchObject({ name: "JobCancelledError", code: "JOB_CANCELLED", id });
    await queue.cancel(id);
    await waiting;
    await expect(queue.waitFor(id)).rejects.toMatchObject({ code: "JOB_CANCELLED" });
  });

  test("an id that is added again ends again", async () => {
    const queue = open<number>("again", { keepResult: 60_000 });
    const release = [gate(), gate()];
    const worker = queue.work(async (job: Job<number>) => {
      await release[job.data]?.opened;
      return job.data;
    });
    release[0]?.open();
    await queue.add(0, { id: "same" });
    expect(await queue.waitFor("same")).toBe(0);
    await eventually("it can be added again", async () => (await queue.add(1, { id: "same" })).added);
    const second = queue.waitFor("same");
    await eventually("it runs again", async () => (await queue.counts()).running === 1);
    release[1]?.open();
    expect(await second).toBe(1);
    await worker.stop();
  });

  test("says that there is no such job", async () => {
    const queue = open<string>("unknown");
    await queue.add("another one");
    await expect(queue.waitFor("nobody")).rejects.toMatchObject({ code: "JOB_UNKNOWN" });
    await expect(queue.waitFor("not an id")).rejects.toMatchObject({ code: "INVALID_ID" });
    await expect(queue.waitFor("x", { timeout: -1 })).rejects.toMatchObject({ code: "INVALID_OPTION" });
    await expect(queue.waitFor("x", { tiemout: 1 } as object)).rejects.toMatchObject({ code: "INVALID_OPTION" });
  });

  test("ends with its timeout, its signal and its Keyline, and the job goes on", async () => {
    const own = stage.keyline();
    const queue = openEither<string>(own, `${kind}-ends`, { transactional, keepResult: 60_000 });
    const { id } = await queue.add("x");
    await expect(queue.waitFor(id, { timeout: 50 })).rejects.toMatchObject({ code: "TIMEOUT" });
    const leaving = new AbortController();
    const left = queue.waitFor(id, { signal: leaving.signal });
    leaving.abort(new Error("enough"));
    await expect(left).rejects.toThrow("enough");
    await expect(queue.waitFor(id, { signal: leaving.signal })).rejects.toThrow("enough");
    const shut = expect(queue.waitFor(id)).rejects.toMatchObject({ code: "CLOSED" });
    await own.close();
    await shut;
    const other = open<string>("ends", { keepResult: 60_000 });
    const worker = other.work(() => "it went on");
    expect(await other.waitFor(id)).toBe("it went on");
    await worker.stop();
  });

  test("what is no JSON, or too large, makes a failed attempt that says so", async () => {
    const queue = openEither<string>(keyline, `${kind}-unfit`, {
      transactional,
      keepResult: 60_000,
      maxAttempts: 1,
      maxPayloadBytes: 1_000,
    });
    const worker = queue.work((job: Job<string>) => (job.data === "large" ? "x".repeat(2_000) : { big: 1n }));
    const [large, unfit] = await queue.addMany([{ data: "large" }, { data: "unfit" }]);
    await expect(queue.waitFor(large?.id ?? "")).rejects.toMatchObject({
      code: "JOB_DEAD",
      reason: expect.stringMatching(/^PAYLOAD_TOO_LARGE: The data for the result of job/) as string,
    });
    await expect(queue.waitFor(unfit?.id ?? "")).rejects.toMatchObject({ reason: expect.stringMatching(/^NOT_SERIALIZABLE/) as string });
    await worker.stop();
  });

  test("a large result is not told in the stream, and comes all the same", async () => {
    const queue = open<string>("large", { keepResult: 60_000 });
    const text = "ü".repeat(50_000);
    const worker = queue.work(() => ({ text }));
    const { id } = await queue.add("x");
    expect(await queue.waitFor(id)).toEqual({ text });
    await worker.stop();
    expect(await stage.valkey.memory("USAGE", `${stage.prefix}:{${queue.name}}:ends`)).toBeLessThan(20_000);
  });

  test("thousands wait at once", async () => {
    const queue = open<number>("thousands", { keepResult: 60_000 });
    const worker = queue.work((job: Job<number>) => job.data * 2, { concurrency: 100 });
    const count = 5_000;
    const added = await queue.addMany(Array.from({ length: count }, (_, data) => ({ data })));
    const results = await Promise.all(added.map(({ id }) => queue.waitFor<number>(id)));
    expect(results.reduce((sum, result) => sum + result, 0)).toBe(count * (count - 1));
    await worker.stop();
  }, 60_000);

  test("a batch's handler returns a Map of results", async () => {
    const queue = open<number>("batch", { keepResult: 60_000 });
    const worker = queue.workBatch((jobs: readonly Job<number>[]) => new Map(jobs.map((job) => [job, job.data + 1])), { size: 10 });
    const added = await queue.addMany([{ data: 1 }, { data: 2 }]);
    expect(await Promise.all(added.map(({ id }) => queue.waitFor(id)))).toEqual([2, 3]);
    await worker.stop();
  });
});

describe("with effects", () => {
  const open = (name: string): Queue<string, string, true> =>
    keyline.queue<string>(`effects-${name}`, { transactional: true, keepResult: 60_000 });

  test("the result is what the effects return, and is committed with them", async () => {
    const queue = open("returned");
    const release = gate();
    const worker = queue.work(async (job, { settle }) => {
      await settle(async (tx) => {
        const { rows } = await tx.query<{ text: string }>("SELECT upper($1) AS text", [job.data]);
        return rows[0];
      });
      await release.opened;
      return "not this one";
    });
    const { id } = await queue.add("label");
    // The handler has not come back.
    await eventually("it is settled", async () => (await stage.pool.query("SELECT FROM keyline.job WHERE id = $1", [id])).rowCount === 0);
    expect(await queue.waitFor(id)).toEqual({ text: "LABEL" });
    release.open();
    await worker.stop();
    expect(await queue.waitFor(id)).toEqual({ text: "LABEL" });
  });

  test("where they return nothing it is what the handler returns, also for who asks in between", async () => {
    const queue = open("in-between");
    const release = gate();
    const settled = gate();
    const worker = queue.work(async (_, { settle }) => {
      await settle(async () => undefined);
      settled.open();
      await release.opened;
      return "returned";
    });
    const { id } = await queue.add("x");
    await settled.opened;
    await expect(queue.waitFor(id, { timeout: 300 })).rejects.toMatchObject({ code: "TIMEOUT" });
    const waiting = queue.waitFor(id);
    release.open();
    expect(await waiting).toBe("returned");
    expect(await queue.waitFor(id)).toBe("returned");
    await worker.stop();
  });

  test("the result of effects that were rolled back is not kept", async () => {
    const queue = keyline.queue<string>("effects-rolled-back", {
      transactional: true,
      keepResult: 60_000,
      backoff: { type: "fixed", delay: 10, jitter: 0 },
    });
    const worker = queue.work(async (job, { settle }) => {
      await settle(async () => {
        if (job.attempt === 1) return { big: 1n };
        return "second";
      });
    });
    const { id } = await queue.add("x");
    expect(await queue.waitFor(id)).toBe("second");
    await worker.stop();
  });

  test("a batch's effects return a Map", async () => {
    const queue = open("batch");
    const worker = queue.workBatch(async (jobs, { settle }) => {
      await settle(jobs, async (_, owed) => new Map(owed.map((job) => [job, job.data.length])));
    });
    const added = await queue.addMany([{ data: "one" }, { data: "three" }]);
    expect(await Promise.all(added.map(({ id }) => queue.waitFor(id)))).toEqual([3, 5]);
    await worker.stop();
  });

  test("a job that is discarded is dead to who waits", async () => {
    const queue = open("discarded");
    const worker = queue.work(() => Promise.reject(new Discard("no use")));
    const { id } = await queue.add("x");
    await expect(queue.waitFor(id)).rejects.toMatchObject({ code: "JOB_DEAD", reason: "Discard: no use" });
    await worker.stop();
  });
});
