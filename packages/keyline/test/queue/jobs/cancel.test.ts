import { KeylineError, type Queue } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually, gate, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});

afterAll(() => stage.close());

const codeOf = (error: unknown): string => (error instanceof KeylineError ? error.code : String(error));

describe.each([{ transactional: false }, { transactional: true }])("cancel (transactional: $transactional)", ({ transactional }) => {
  const open = (name: string): Queue<number> =>
    stage.keyline().queue<number>(`${name}-${transactional}`, {
      transactional,
      lease: 2_000,
      backoff: () => 20,
    } as { transactional: false });

  const keysOf = (name: string): Promise<string[]> => stage.valkey.keys(`${stage.prefix}:{${name}-${transactional}}:*`);

  /** Nothing is left of gates and marks, so that the queue is as fast as before. */
  async function expectUngated(name: string): Promise<void> {
    const base = `${stage.prefix}:{${name}-${transactional}}:`;
    await eventually("no mark is left", async () => (await stage.valkey.exists(`${base}cancelled`, `${base}gates`, `${base}stubs`)) === 0);
  }

  test("takes out what waits, is scheduled, or stands in its group's line, and says what it was", async () => {
    const queue = open("places");
    const { id: waiting } = await queue.add(1);
    const { id: scheduled } = await queue.add(2, { delay: 60_000 });
    const { id: low } = await queue.add(3, { priority: "low" });
    const { id: first } = await queue.add(4, { group: "g" });
    const { id: blocked } = await queue.add(5, { group: "g" });
    await eventually("all are there", async () => {
      const { waiting: count, scheduled: due, blocked: lined } = await queue.counts();
      return count === 3 && due === 1 && lined === 1;
    });
    expect(await queue.cancel(waiting)).toBe("waiting");
    expect(await queue.cancel(scheduled)).toBe("scheduled");
    expect(await queue.cancel(low)).toBe("waiting");
    expect(await queue.cancel(blocked)).toBe("waiting");
    expect(await queue.counts()).toMatchObject({ waiting: 1, scheduled: 0, blocked: 0, running: 0, dead: 0 });
    expect(await queue.cancel(first)).toBe("waiting");
    expect(await queue.counts()).toMatchObject({ waiting: 0 });
    for (const id of [waiting, scheduled, low, blocked, first]) expect(await queue.cancel(id)).toBe("unknown");
    const ran: number[] = [];
    const worker = queue.work(({ data }) => void ran.push(data));
    await queue.add(9, { group: "g" });
    await eventually("another one runs", () => ran.length === 1);
    expect(ran).toEqual([9]);
    await worker.stop();
    if (!transactional) expect((await keysOf("places")).filter((key) => /ids$|groups$|line:|keys$/.test(key))).toEqual([]);
  });

  test("aborts what runs, which is not tried again, whatever its handler does then", async () => {
    const queue = open("running");
    const begun = [gate(), gate(), gate()];
    const codes: string[] = [];
    const released = gate();
    const worker = queue.work(
      async ({ data, signal, attempt }) => {
        expect(attempt).toBe(1);
        begun[data]?.open();
        await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
        codes.push(codeOf(signal.reason));
        if (data === 0) throw new Error("stopped");
        if (data === 2) await released.opened;
      },
      { concurrency: 5 },
    );
    const cancelled: string[] = [];
    const others: string[] = [];
    worker.on("cancelled", ({ id }) => cancelled.push(id));
    worker.on("completed", ({ id }) => others.push(id));
    worker.on("retried", ({ id }) => others.push(id));
    worker.on("error", ({ message }) => others.push(message));
    const ids = await Promise.all([0, 1, 2].map(async (data) => (await queue.add(data)).id));
    await Promise.all(begun.map(({ opened }) => opened));
    for (const id of ids) expect(await queue.cancel(id)).toBe("running");
    await eventually("all were told", () => codes.length === 3);
    expect(codes).toEqual(["JOB_CANCELLED", "JOB_CANCELLED", "JOB_CANCELLED"]);
    released.open();
    await eventually("all have ended", () => cancelled.length === 3);
    expect(cancelled.toSorted()).toEqual(ids.toSorted());
    expect(await queue.counts()).toMatchObject({ waiting: 0, scheduled: 0, running: 0, dead: 0 });
    await expectUngated("running");
    await worker.stop();
    expect(others).toEqual([]);
  });

  test("leaves a dead letter, and knows nothing of what has ended or never was", async () => {
    const queue = open("ended");
    const worker = queue.work(() => Promise.reject(new Error("no")));
    const { id: dead } = await queue.add(1, { maxAttempts: 1 });
    await eventually("it is dead", async () => (await queue.counts()).dead === 1);
    await worker.stop();
    const ended = queue.work(() => undefined);
    const completed: string[] = [];
    ended.on("completed", (job) => completed.push(job.id));
    const { id } = await queue.add(2);
    // That none waits or runs may also be because it has not come to Valkey yet.
    await eventually("it has ended", () => completed.includes(id));
    expect(await queue.cancel(dead)).toBe("dead");
    expect(await queue.cancel(id)).toBe("unknown");
    expect(await queue.cancel("never")).toBe("unknown");
    expect(await queue.counts()).toMatchObject({ dead: 1 });
    await ended.stop();
    if (!transactional) await expectUngated("ended");
  });

  test("frees the id and the key of the job: the same can be added again, and runs", async () => {
    const queue = open("again");
    const deduplicate = { key: "k" };
    expect(await queue.add(1, { id: "mine", deduplicate })).toMatchObject({ added: true });
    expect(await queue.add(1, { id: "mine", deduplicate })).toMatchObject({ added: false });
    expect(await queue.cancel("mine")).toBe("waiting");
    expect(await queue.add(2, { id: "mine", deduplicate })).toMatchObject({ added: true });
    const ran: number[] = [];
    const worker = queue.work(({ data }) => void ran.push(data));
    await eventually("it ran", () => ran.length === 1);
    expect(ran).toEqual([2]);
    await worker.stop();
  });

  test("an id of a job that runs is free when its attempt has ended, and what comes of it is not cancelled", async () => {
    const queue = open("running-again");
    const begun = gate();
    const release = gate();
    const ran: number[] = [];
    const worker = queue.work(
      async ({ data }) => {
        ran.push(data);
        begun.open();
        if (data === 1) await release.opened;
      },
      { concurrency: 2 },
    );
    await queue.add(1, { id: "mine" });
    await begun.opened;
    expect(await queue.cancel("mine")).toBe("running");
    expect(await queue.add(2, { id: "mine" })).toMatchObject({ added: false });
    release.open();
    await eventually("its id is free", async () => (await queue.add(3, { id: "mine" })).added);
    await eventually("the next one ran", () => ran.length === 2);
    expect(ran).toEqual([1, 3]);
    await worker.stop();
    await expectUngated("running-again");
  });

  test("what has failed and waits for its next attempt is scheduled", async () => {
    const queue = stage.keyline().queue<number>(`retry-${transactional}`, { transactional, backoff: () => 60_000 } as {
      transactional: false;
    });
    const worker = queue.work(() => Promise.reject(new Error("again")));
    const { id } = await queue.add(1, { group: "g" });
    await queue.add(2, { group: "g" });
    await eventually("it waits for its next attempt", async () => (await queue.counts()).scheduled === 1);
    await worker.stop();
    expect(await queue.cancel(id)).toBe("scheduled");
    // Its group goes on.
    expect(await queue.counts()).toMatchObject({ scheduled: 0, waiting: 1, blocked: 0 });
  });

  test("of a group takes all of it that has not ended, and nothing else", async () => {
    const queue = open("group");
    const begun = gate();
    const ran: number[] = [];
    const worker = queue.work(
      async ({ data, signal }) => {
        ran.push(data);
        if (data !== 0) return;
        begun.open();
        await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      },
      { concurrency: 1 },
    );
    await queue.add(0, { group: "a" });
    await begun.opened;
    await queue.addMany(Array.from({ length: 700 }, (_, index) => ({ data: index + 1, group: "a" })));
    await queue.addMany([
      { data: 1_000, group: "b" },
      { data: 1_001, group: "a.b" },
      { data: 1_002, delay: 60_000, group: "a" },
      { data: 1_003, delay: 60_000 },
    ]);
    await eventually("all are there", async () => {
      const { blocked, scheduled, waiting } = await queue.counts();
      return blocked === 701 && scheduled === 1 && waiting === 2;
    });
    const pages: number[] = [];
    expect(await queue.cancel({ group: "a", onProgress: ({ done }) => void pages.push(done) })).toBe(702);
    expect(pages.at(-1)).toBe(702);
    await eventually("the others run", () => ran.length === 3);
    expect(ran).toEqual([0, 1_000, 1_001]);
    expect(await queue.counts()).toMatchObject({ blocked: 0, scheduled: 1, waiting: 0 });
    await worker.stop();
  });

  test("of a group whose next job is scheduled as soon as one of it is taken out takes all", async () => {
    const queue = open("group-later");
    await queue.addMany(Array.from({ length: 30 }, (_, data) => ({ data, group: "g", delay: 60_000 })));
    await eventually("all are there", async () => (await queue.counts()).blocked === 29);
    expect(await queue.cancel({ group: "g" })).toBe(30);
    expect(await queue.counts()).toMatchObject({ blocked: 0, scheduled: 0, waiting: 0 });
  });

  test("by state, by time, by ids, and all", async () => {
    const queue = open("filters");
    await queue.addMany([{ data: 1 }, { data: 2, delay: 60_000 }, { data: 3, group: "g" }, { data: 4, group: "g" }]);
    const later = await eventuallyLater();
    await queue.addMany([{ data: 5 }, { data: 6, delay: 60_000 }]);
    await eventually("all are there", async () => (await queue.counts()).waiting === 3 && (await queue.counts()).scheduled === 2);
    expect(await queue.cancel({ state: "running" })).toBe(0);
    expect(await queue.cancel({ state: "scheduled", after: later })).toBe(1);
    expect(await queue.counts()).toMatchObject({ scheduled: 1, waiting: 3, blocked: 1 });
    expect(await queue.cancel({ before: new Date(later), state: "waiting" })).toBe(3);
    expect(await queue.counts()).toMatchObject({ scheduled: 1, waiting: 1, blocked: 0 });
    const { id } = await queue.add(7);
    expect(await queue.cancel({ ids: [id, "never"] })).toBe(1);
    expect(await queue.cancel({ all: true })).toBe(2);
    expect(await queue.counts()).toMatchObject({ scheduled: 0, waiting: 0, blocked: 0 });
    expect(await queue.cancel({ all: true })).toBe(0);
  });

  test.each([
    ["", "INVALID_ID"],
    ["no spaces", "INVALID_ID"],
    [7, "INVALID_ID"],
    [null, "INVALID_OPTION"],
    [{}, "INVALID_OPTION"],
    [{ group: undefined }, "INVALID_OPTION"],
    [{ group: 'a"b' }, "INVALID_OPTION"],
    [{ state: "dead" }, "INVALID_OPTION"],
    [{ all: false }, "INVALID_OPTION"],
    [{ all: true, group: "g" }, "INVALID_OPTION"],
    [{ ids: ["a"], group: "g" }, "INVALID_OPTION"],
    [{ ids: ["a b"] }, "INVALID_ID"],
    [{ before: "yesterday" }, "INVALID_OPTION"],
    [{ after: 2, before: 1 }, "INVALID_OPTION"],
    [{ who: "me" }, "INVALID_OPTION"],
  ])("refuses %j before anything is done", async (what, code) => {
    const queue = open("refused");
    await queue.add(1);
    await eventually("it waits", async () => (await queue.counts()).waiting > 0);
    expect(codeOf(await queue.cancel(what as never).catch((error: unknown) => error))).toBe(code);
    expect((await queue.counts()).waiting).toBeGreaterThan(0);
  });
});

/** A time that is later than what was added before, and not later than what is added after, by the clocks of both sides. */
async function eventuallyLater(): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 60));
  const later = Date.now();
  await new Promise((resolve) => setTimeout(resolve, 60));
  return later;
}
