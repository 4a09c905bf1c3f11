import type { Job, Keyline } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openEither, type EitherQueue } from "../../support/either-queue.ts";
import { EventFollower, untilTold } from "../../support/event-follower.ts";
import { eventually, gate, openQuietStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
let keyline: Keyline;
beforeAll(async () => {
  stage = await openQuietStage();
  keyline = stage.keyline();
  await keyline.migrate();
});
afterAll(() => stage.close());

/** A text that takes so many bytes as JSON, in letters of two bytes. */
const textOf = (bytes: number): string => "é".repeat(Math.floor((bytes - 2) / 2)) + "x".repeat(bytes % 2);

describe.each([
  ["plain", false],
  ["transactional", true],
] as const)("progress on a %s queue", (kind, transactional) => {
  const open = (name: string, rules = {}): EitherQueue<string> =>
    openEither<string>(keyline, `progress-${kind}-${name}`, { transactional, ...rules });
  const keyOf = (queue: EitherQueue<string>, id: string): string => `${stage.prefix}:{${queue.name}}:progress:${id}`;
  const writtenOf = (queue: EitherQueue<string>, id: string): Promise<string | null> => stage.valkey.get(keyOf(queue, id));
  const isGone = async (queue: EitherQueue<string>, id: string): Promise<boolean> => (await stage.valkey.exists(keyOf(queue, id))) === 0;

  test("is written at most ten times a second, the last one always, and goes with the job", async () => {
    const queue = open("written");
    const follower = new EventFollower(queue);
    await untilTold(stage, queue);
    const said = gate();
    const release = gate();
    let begun = 0;
    let ended = 0;
    const worker = queue.work(async (job: Job<string>) => {
      begun = performance.now();
      for (let done = 1; done <= 400; done++) {
        void job.progress({ done, of: 400 });
        await new Promise((resolve) => setImmediate(resolve));
      }
      ended = performance.now();
      said.open();
      await release.opened;
      void job.progress("at last");
    });
    const { id } = await queue.add("x");
    await said.opened;
    await eventually("the last one is seen", async () => {
      return JSON.stringify((await queue.job(id))?.progress) === '{"done":400,"of":400}';
    });
    await eventually("the last one is there", async () => (await writtenOf(queue, id)) === '{"done":400,"of":400}');
    release.open();
    await eventually("it has ended", () => follower.of(id).includes("completed"));
    expect(await isGone(queue, id)).toBe(true);
    const values = follower.events.flatMap((event) => (event.type === "progress" ? [event.progress] : []));
    expect(values.at(-1)).toBe("at last");
    expect(values.at(-2)).toEqual({ done: 400, of: 400 });
    // One at once, one each tenth of a second, one in the end, and what was said last.
    expect(values.length).toBeLessThanOrEqual(4 + Math.ceil((ended - begun) / 100));
    expect(follower.of(id).at(-1)).toBe("completed");
    await worker.stop();
    await follower.stop();
  });

  test("of an attempt that failed goes with the job, whichever attempt ends it", async () => {
    const queue = open("retried", { backoff: { type: "fixed", delay: 300, jitter: 0 } });
    const worker = queue.work((job: Job<string>) => {
      if (job.attempt > 1) return;
      void job.progress(1);
      throw new Error("once more");
    });
    const completed = new Promise((resolve) => worker.on("completed", resolve));
    const { id } = await queue.add("x");
    await eventually("it is written", async () => (await writtenOf(queue, id)) === "1");
    await completed;
    await eventually("it is gone", () => isGone(queue, id));
    await worker.stop();
  });

  test("goes with a job that dies, and with one that is cancelled", async () => {
    const queue = open("ends", { maxAttempts: 1 });
    const isSaid = gate();
    const worker = queue.work(
      async (job: Job<string>) => {
        void job.progress("some");
        if (job.data === "waits") await new Promise((resolve) => job.signal.addEventListener("abort", resolve));
        else await isSaid.opened;
        throw new Error("no");
      },
      { concurrency: 2 },
    );
    const ends = Promise.all(["dead", "cancelled"].map((event) => new Promise((resolve) => worker.on(event as "cancelled", resolve))));
    const added = await queue.addMany([{ data: "waits" }, { data: "dies" }]);
    for (const { id } of added) await eventually("it is written", async () => (await writtenOf(queue, id)) === '"some"');
    expect(await queue.cancel(added[0]?.id ?? "")).toBe("running");
    isSaid.open();
    await ends;
    for (const { id } of added) await eventually("it is gone", () => isGone(queue, id));
    await worker.stop();
  });

  test("may take 4,096 bytes, and not one more: then nothing is written", async () => {
    const queue = open("longest");
    const written = gate();
    const refused: unknown[] = [];
    const [fitting, larger] = [textOf(4_096), textOf(4_097)];
    expect([fitting, larger].map((text) => Buffer.byteLength(JSON.stringify(text)))).toEqual([4_096, 4_097]);
    const worker = queue.work(async (job: Job<string>) => {
      try {
        void job.progress(job.data === "fits" ? fitting : larger);
      } catch (error) {
        refused.push((error as { code: string }).code);
      }
      if (job.data === "fits") await written.opened;
    });
    const { id: large } = await queue.add("does not", { keepResult: 60_000 });
    await queue.waitFor(large);
    expect(refused).toEqual(["PAYLOAD_TOO_LARGE"]);
    expect(await isGone(queue, large)).toBe(true);
    const { id } = await queue.add("fits", { keepResult: 60_000 });
    await eventually("it is written", async () => (await writtenOf(queue, id)) === JSON.stringify(fitting));
    expect((await queue.job(id))?.progress).toBe(fitting);
    written.open();
    await queue.waitFor(id);
    expect(refused.length).toBe(1);
    await eventually("it is gone", () => isGone(queue, id));
    await worker.stop();
  });

  test("that is no JSON, or too large, is refused at once, before anything is written", async () => {
    const queue = open("unfit", { maxAttempts: 1 });
    const errors: unknown[] = [];
    const worker = queue.work((job: Job<string>) => {
      for (const value of [1n, "x".repeat(5_000), undefined, JSON.parse('{"__proto__":1}')]) {
        try {
          void job.progress(value);
        } catch (error) {
          errors.push((error as { code: string }).code);
        }
      }
    });
    const { id } = await queue.add("x", { keepResult: 60_000 });
    await queue.waitFor(id);
    expect(errors).toEqual(["NOT_SERIALIZABLE", "PAYLOAD_TOO_LARGE", "NOT_SERIALIZABLE", "FORBIDDEN_KEY"]);
    await worker.stop();
  });
});
