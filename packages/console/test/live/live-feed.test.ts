import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { eventually, gate } from "../../../keyline/test/support/stage.ts";
import { LiveFeed } from "../../src/live/live-feed.ts";
import type { Came, Tail } from "../../src/live/source.ts";

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

/** Rows, each of which has a place behind it, as many as there are up to there; a gate in `answers` keeps what is asked. */
function logOf(answers: { shared?: Promise<void> | undefined; own?: Promise<void> | undefined }) {
  const rows: { readonly n: number }[] = [];
  const asked = { shared: 0, own: 0 };
  const openTail = (since?: string): Tail => {
    let place = since;
    const whose = since === undefined ? "shared" : "own";
    return {
      kind: "stream",
      get place() {
        return place;
      },
      isOver: false,
      take: async () => {
        const from = place;
        asked[whose]++;
        await answers[whose];
        place = String(rows.length);
        return from === undefined || from === place ? undefined : { rows: rows.slice(Number(from)), skipped: 0 };
      },
      close: () => undefined,
    };
  };
  return { rows, asked, openTail };
}

async function look(feed: LiveFeed, lastEventId?: string) {
  const body = await feed.open(["stream:x"], { expiresAt: undefined, signal: new AbortController().signal, lastEventId });
  let text = "";
  void (async () => {
    for await (const chunk of body) text += Buffer.from(chunk).toString();
  })();
  return {
    hasId: (id: string) => text.includes(`id: ${id}\n`),
    rows: () =>
      [...text.matchAll(/event: tail\ndata: (.*)/g)].flatMap(
        ([, data = ""]) => (JSON.parse(data) as Came).rows as readonly { n: number }[],
      ),
  };
}

// Both answers come in one packet: what is done about each is done step by step beside the other.
test.concurrent.each(Array.from({ length: 6 }, (_, steps) => steps))(
  "who comes again misses nothing, where what all are told is answered %i steps before what they missed",
  async (steps) => {
    const [shared, own] = [gate(), gate()];
    const answers: Parameters<typeof logOf>[0] = {};
    const { rows, asked, openTail } = logOf(answers);
    const feed = new LiveFeed({
      find: () => Promise.resolve({ kind: "stream", read: undefined, openTail }),
      logError: (error) => expect.fail(String(error)),
    });
    const onlooker = await look(feed);
    await eventually("the onlooker stands somewhere", () => onlooker.hasId("stream%3Ax=0"));
    Object.assign(answers, { shared: shared.opened, own: own.opened });
    for (let n = 1; n <= 3; n++) rows.push({ n });
    const before = asked.shared;
    await look(feed);
    await eventually("what all are told is asked for", () => asked.shared > before);
    const again = await look(feed, "stream%3Ax=0");
    await eventually("what was missed is asked for", () => asked.own > 0);
    shared.open();
    for (let step = 0; step < steps; step++) await Promise.resolve();
    own.open();
    await setImmediate();
    rows.push({ n: 4 });
    await eventually("both are told the last", () => [onlooker, again].every((one) => one.rows().at(-1)?.n === 4));
    feed.close();
    expect([onlooker, again].map((one) => one.rows())).toEqual([rows, rows]);
  },
);
