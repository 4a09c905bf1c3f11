import type { Worker } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CancelledNotes } from "../../support/cancelled-notes.ts";
import { openEither, type EitherQueue } from "../../support/either-queue.ts";
import { eventually, openStage, type Stage } from "../../support/stage.ts";
import type { CancelledData } from "./handlers/cancelled.ts";

const file = new URL("./handlers/cancelled.ts", import.meta.url);

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

const cases = [false, true].flatMap((transactional) => (["thread", "process"] as const).map((isolate) => ({ transactional, isolate })));

describe.each(cases)("the isolated handler of a job that is cancelled (transactional: $transactional, isolate: $isolate)", (one) => {
  const { transactional, isolate } = one;

  function open(what: string): EitherQueue<CancelledData> {
    const name = `${what}-${transactional}-${isolate}`;
    return openEither<CancelledData>(stage.keyline(), name, { transactional, lease: 2_000, maxAttempts: 5, backoff: () => 10 });
  }

  /** All that the worker tells. */
  function told(worker: Worker<CancelledData>): string[] {
    const events: string[] = [];
    worker.on("cancelled", ({ id }) => events.push(`cancelled ${id}`));
    worker.on("completed", ({ id }) => events.push(`completed ${id}`));
    worker.on("retried", (_, error) => events.push(`retried: ${error.message}`));
    worker.on("dead", (_, error) => events.push(`dead: ${error.message}`));
    worker.on("error", (error) => events.push(`error: ${error.message}`));
    return events;
  }

  /** Cancels what does this, once it has begun, and returns what was noted of it when it has ended and another one has run behind it. */
  async function cancelled(what: "wait" | "loop", timeout?: number): Promise<{ readonly id: string; readonly notes: CancelledNotes }> {
    const queue = open(what);
    const worker = queue.work(file, { isolate, ...(timeout !== undefined && { timeout }) });
    const events = told(worker);
    const [notes, next] = [new CancelledNotes(stage, queue.name), new CancelledNotes(stage, `${queue.name}-next`)];
    const { id } = await queue.add(notes.data(what));
    await notes.until("began");
    expect(await queue.cancel(id)).toBe("running");
    await eventually("it has ended", () => events.length > 0, 60_000);
    const { id: behind } = await queue.add(next.data("end"));
    await eventually("the next one has ended", () => events.length > 1, 60_000);
    expect(events).toEqual([`cancelled ${id}`, `completed ${behind}`]);
    expect(await queue.counts()).toMatchObject({ waiting: 0, scheduled: 0, running: 0, dead: 0 });
    expect(await queue.cancel(id)).toBe("unknown");
    await worker.stop();
    return { id, notes };
  }

  test("is told why by its signal, and not tried again", async () => {
    const { id, notes } = await cancelled("wait");
    const reason = { code: "JOB_CANCELLED", isKeylineError: true, isCancelled: true, job: id };
    expect(await notes.all()).toMatchObject([
      { what: "began", attempt: 1 },
      { what: "aborted", attempt: 1, reason },
    ]);
  }, 120_000);

  test("is ended where it never comes back from a loop, long before its timeout, and not tried again", async () => {
    const { notes } = await cancelled("loop", 600_000);
    expect(await notes.all()).toMatchObject([{ what: "began", attempt: 1 }]);
  }, 120_000);
});
