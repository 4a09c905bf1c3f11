import { expect, test } from "vitest";
import { eventually, gate } from "../../../keyline/test/support/stage.ts";
import { LiveFeed } from "../../src/live/live-feed.ts";
import type { Came } from "../../src/live/source.ts";

test("rows keep their order while the state of their topic takes long to be read", async () => {
  const { opened, open } = gate();
  let taken = 0;
  const take = (): Promise<Came> => Promise.resolve({ rows: [{ n: taken++ }], skipped: 0 });
  const feed = new LiveFeed({
    find: () =>
      Promise.resolve({
        kind: "channel",
        read: () => opened.then(() => ({})),
        openTail: () => ({ kind: "channel", place: "", isOver: false, take, close: () => undefined }),
      }),
    logError: (error) => expect.fail(String(error)),
  });
  const body = await feed.open(["channel:x"], { expiresAt: undefined, signal: new AbortController().signal, lastEventId: undefined });
  const told: unknown[] = [];
  const reading = (async () => {
    for await (const chunk of body) {
      for (const [, data = ""] of Buffer.from(chunk)
        .toString()
        .matchAll(/event: tail\ndata: (.*)/g))
        told.push(...(JSON.parse(data) as Came).rows);
    }
  })();
  await eventually("some were taken", () => taken >= 3);
  open();
  await eventually("they were told", () => told.length >= 3);
  feed.close();
  await reading;
  expect(told).toEqual(told.map((_, n) => ({ n })));
});
