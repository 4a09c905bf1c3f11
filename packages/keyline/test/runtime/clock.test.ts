import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { openStage, type Stage } from "../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
beforeEach(() => {
  vi.useFakeTimers({
    toFake: [
      "setTimeout",
      "clearTimeout",
      "setInterval",
      "clearInterval",
      "setImmediate",
      "clearImmediate",
      "queueMicrotask",
      "performance",
      "Date",
    ],
  });
});
afterEach(() => {
  vi.useRealTimers();
});
afterAll(() => stage.close());

test("while a test holds the clock, what is added, published and appended goes out and is worked on", async () => {
  const keyline = stage.keyline();
  const plain = keyline.queue<number>("plain");
  const queue = keyline.queue<number>("transactional", { transactional: true });
  const stream = keyline.stream<number>("plain");
  const record = keyline.stream<number>("record", { transactional: true });
  const channel = keyline.channel<number>("channel", { history: {} });
  const heard = Promise.withResolvers<number>();
  const subscription = channel.subscribe(({ data }) => heard.resolve(data));
  await subscription.ready;

  await Promise.all([plain.add(1), plain.add(2, { id: "two" }), queue.add(3), stream.append(4), record.append(5)]);
  await Promise.all([channel.publish(6), channel.publish(7)]);
  await keyline.transaction((tx) => queue.add(8, { tx }));
  expect(await heard.promise).toBe(6);

  const settled = Promise.withResolvers<void>();
  const worker = queue.work((_job, { settle }) => settle(async () => undefined));
  let left = 2;
  worker.on("completed", () => --left === 0 && settled.resolve());
  await settled.promise;
  const entries: number[] = [];
  for await (const { data } of record.read()) entries.push(data);
  expect(entries).toEqual([5]);
  await keyline.close();
});
