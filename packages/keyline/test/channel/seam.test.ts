import type { Gap, Message } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openStage, type Stage } from "../support/stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
});

afterAll(() => stage.close());

test("nothing is missing and nothing comes twice at the seam between history and live, while three publish at full speed", async () => {
  const publishers = [stage.keyline(), stage.keyline(), stage.keyline()];
  const reader = stage.keyline();
  const options = { history: { size: 100_000 } };
  const total = 6_000;
  const published: { cursor: string; tag: string }[] = [];
  const publishing = publishers.map(async (keyline, index) => {
    const channel = keyline.channel<string>("seam", options);
    for (let first = 0; first < total; first += 20) {
      await Promise.all(
        Array.from({ length: 20 }, async (_, offset) => {
          const tag = `${index}-${first + offset}`;
          const { cursor } = await channel.publish(tag);
          published.push({ cursor: cursor ?? "", tag });
        }),
      );
    }
  });
  const channel = reader.channel<string>("seam", options);
  const gaps: Gap[] = [];
  // Each subscriber comes at another moment, with a cursor from somewhere in the past.
  const subscribers = await Promise.all(
    Array.from({ length: 30 }, async (_, number) => {
      while (published.length < 50 + number * 400) await new Promise((resolve) => setImmediate(resolve));
      const since = published[Math.floor(published.length * ((number % 7) / 7))]?.cursor;
      const messages: Message<string>[] = [];
      const subscription = channel.subscribe((message) => void messages.push(message), { since, onGap: (gap) => gaps.push(gap) });
      await subscription.ready;
      return { since, messages };
    }),
  );
  await Promise.all(publishing);
  const countOf = (cursor: string | undefined): number => Number(cursor?.split(".")[2]);
  const end = await channel.history({ limit: 1 });
  const last = countOf(end.cursor);
  expect(last).toBe(3 * total);
  for (const { since, messages } of subscribers) {
    const expected = last - countOf(since);
    while (messages.length < expected) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(messages.map((message) => countOf(message.cursor))).toEqual(
      Array.from({ length: expected }, (_, index) => countOf(since) + 1 + index),
    );
  }
  expect(gaps).toEqual([]);
});
