import { afterAll, beforeAll, expect, test } from "vitest";
import { openStage, type Stage } from "../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

// What a user without types, or with a typing error, may write.
const misspelt = { concurency: 5 } as never;
const refusal = (what: string, known: string): object =>
  expect.objectContaining({
    code: "INVALID_OPTION",
    message: `${what} has no option "concurency": it knows ${known}`,
  }) as object;

test("an option that is not known is refused wherever options are taken, with those that are", async () => {
  const keyline = stage.keyline();
  const rules = "schema, transactional, maxAttempts, backoff, lease, maxPayloadBytes, limits, rateLimit, deadLetters, keepResult";
  expect(() => keyline.queue("a", misspelt)).toThrow(refusal("queue", rules));
  expect(() => keyline.queue("a", { backoff: { type: "fixed", ...(misspelt as object) } })).toThrow(
    refusal("backoff", "type, delay, max, jitter"),
  );
  const queue = keyline.queue<number>("a");
  expect(() => queue.work(() => undefined, misspelt)).toThrow(refusal("work", "concurrency, timeout, isolate"));
  expect(() => queue.workBatch(() => undefined, misspelt)).toThrow(refusal("workBatch", "size, concurrency, timeout"));
  await expect(queue.add(1, misspelt)).rejects.toThrow(
    refusal("add", "id, maxAttempts, delay, runAt, priority, group, deduplicate, keepResult, tx, children, onChildDead"),
  );
  await expect(queue.addMany([{ data: 1, ...(misspelt as object) }])).rejects.toThrow(
    refusal("a job of addMany", "id, maxAttempts, delay, runAt, priority, group, deduplicate, keepResult"),
  );
  await expect(queue.addMany([{ data: 1 }], misspelt)).rejects.toThrow(refusal("addMany", "tx"));
  expect(() => queue.deadLetters(misspelt)).toThrow(refusal("deadLetters", "ids, error, cause, group, before, after, limit"));
  const actNames = "ids, error, cause, group, before, after, all, limit, dryRun, onProgress, signal";
  await expect(queue.redrive(misspelt)).rejects.toThrow(refusal("redrive", actNames));
  await expect(queue.discard(misspelt)).rejects.toThrow(refusal("discard", actNames));
  expect(() => keyline.queue("b", { deadLetters: misspelt })).toThrow(refusal("deadLetters", "maxLength, maxAge"));
  const worker = queue.work(() => undefined);
  await expect(worker.stop(misspelt)).rejects.toThrow(refusal("stop", "timeout"));
  await worker.stop();
  expect(await queue.counts()).toMatchObject({ waiting: 0 });
});

test.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2_147_483_648, "5"])(
  "a stop with a timeout of %s is refused, and the worker goes on",
  async (timeout) => {
    const queue = stage.keyline().queue<number>(`stop-${String(timeout)}`.replace(".", "_"));
    const ran = Promise.withResolvers<number>();
    const worker = queue.work((job) => ran.resolve(job.data));
    await expect(worker.stop({ timeout: timeout as number })).rejects.toMatchObject({ code: "INVALID_OPTION" });
    await queue.add(1);
    expect(await ran.promise).toBe(1);
    await worker.stop();
  },
);
