import type { Keyline } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import { liveTail } from "../../src/api/live.ts";
import { openConsole, signToken, type ConsoleServer } from "../support/console-server.ts";
import { openLive, type LiveEvents } from "../support/live-events.ts";

let stage: Stage;
let keyline: Keyline;
let consoles: [ConsoleServer, ConsoleServer];
let token: string;
beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  await keyline.migrate();
  consoles = await Promise.all([openConsole({ keyline: stage.keyline() }), openConsole({ keyline: stage.keyline() })]);
  token = await signToken({ console: "viewer" });
});
afterAll(async () => {
  await Promise.all(consoles.map((console) => console.close()));
  await stage.close();
});

async function known(path: string): Promise<void> {
  for (const console of consoles) {
    await eventually("the console knows it", async () => (await console.get(`api/${path}`)).status === 200);
  }
}

/** Numbers from here on are said before a test begins. */
const warming = 1_000_000;

/** What a viewer was told of a topic: numbers of rows, and "gap", or how many were skipped, where that is told. */
function toldOf(live: LiveEvents, topic: string): (number | string)[] {
  return live.events
    .filter(({ type, data }) => type === "tail" && data.topic === topic)
    .flatMap(({ data }) => {
      const { rows, skipped } = liveTail.parse(data);
      const numbers = rows.map((row) => ("payload" in row ? (row.payload.data as { n: number }).n : Number(row.id)));
      return [...(skipped === 0 ? [] : [skipped === null ? "gap" : `${skipped} skipped`]), ...numbers.filter((n) => n < warming)];
    });
}

const until = (live: LiveEvents, topic: string, last: number | string): Promise<void> =>
  eventually(`${topic} came as far as ${last}`, () => toldOf(live, topic).includes(last));
const untilPlaced = (live: LiveEvents, topic: string): Promise<void> =>
  eventually("it says up to where it was told", () => new URLSearchParams(live.lastEventId()).has(topic));

interface Told {
  readonly topic: string;
  readonly path: string;
  say(n: number): Promise<unknown>;
}

function thing(kind: string, name: string): Told & { open(): Promise<unknown> } {
  switch (kind) {
    case "channel": {
      const channel = keyline.channel<{ n: number }>(name, { history: { size: 5_000 } });
      return { topic: `channel:${name}`, path: `channels/${name}`, say: (n) => channel.publish({ n }), open: () => channel.list() };
    }
    case "stream":
    case "transactional stream": {
      const stream = keyline.stream<{ n: number }>(name, { transactional: kind !== "stream" } as { transactional: false });
      return { topic: `stream:${name}`, path: `streams/${name}`, say: (n) => stream.append({ n }), open: () => stream.append({ n: -1 }) };
    }
    default: {
      const queue = keyline.queue<object>(name);
      const say = (n: number): Promise<unknown> => queue.add({}, { id: String(n) });
      return { topic: `events:${name}`, path: `queues/${name}`, say, open: () => say(warming) };
    }
  }
}

/** Events are kept while somebody follows, of whatever process: this one does when it resolves. */
async function lookOn({ topic, say }: Told): Promise<LiveEvents> {
  const live = await openLive(consoles[0].url, topic, token);
  await untilPlaced(live, topic);
  let n = warming;
  await eventually("it follows", async () => {
    await say(++n);
    return live.events.some(({ type }) => type === "tail");
  });
  return live;
}

const kinds = ["channel", "stream", "transactional stream", "queue"];
const situations = ["nobody else looks", "somebody else looks", "another process answers"];

describe.concurrent.each(kinds)("a viewer of a %s who comes again", (kind) => {
  test.each(situations)("goes on behind what came last, each once and none missed, where %s", async (situation) => {
    const name = `${kind}-${situation}`.replaceAll(" ", "-");
    const told = thing(kind, name);
    const { topic, path, say, open } = told;
    await open();
    await known(path);
    const [console, other] = consoles;
    const onlooker = situation === "somebody else looks" || kind === "queue" ? await lookOn(told) : undefined;
    const again = situation === "another process answers" ? other : console;
    const first = await openLive(console.url, topic, token);
    await untilPlaced(first, topic);
    for (let n = 0; n < 3; n++) await say(n);
    await until(first, topic, 2);
    first.close();
    for (let n = 3; n < 6; n++) await say(n);
    if (onlooker) await until(onlooker, topic, 5);
    const second = await openLive(again.url, topic, token, first.lastEventId());
    await until(second, topic, 5);
    for (let n = 6; n < 9; n++) await say(n);
    await until(second, topic, 8);
    second.close();
    const third = await openLive(again.url, topic, token, second.lastEventId());
    await say(9);
    await until(third, topic, 9);
    third.close();
    expect([first, second, third].map((live) => toldOf(live, topic))).toEqual([[0, 1, 2], [3, 4, 5, 6, 7, 8], [9]]);
    onlooker?.close();
  });

  test("is told that some are missing where the place is none, and of those that come then", async () => {
    const told = thing(kind, `${kind}-nowhere`.replaceAll(" ", "-"));
    const { topic, path, say, open } = told;
    await open();
    await known(path);
    const onlooker = await lookOn(told);
    const live = await openLive(consoles[0].url, topic, token, new URLSearchParams([[topic, "no such place"]]).toString());
    await untilPlaced(live, topic);
    await until(live, topic, "gap");
    await say(1);
    await until(live, topic, 1);
    expect(toldOf(live, topic)).toEqual(["gap", 1]);
    live.close();
    onlooker.close();
  });
});

test("who has seen nothing yet misses nothing either", async () => {
  const channel = keyline.channel<{ n: number }>("quiet", { history: {} });
  await channel.list();
  await known("channels/quiet");
  const [console] = consoles;
  const first = await openLive(console.url, "channel:quiet", token);
  await untilPlaced(first, "channel:quiet");
  first.close();
  for (let n = 0; n < 2; n++) await channel.publish({ n });
  // A view with more topics than before.
  const second = await openLive(console.url, "health,channel:quiet", token, first.lastEventId());
  await until(second, "channel:quiet", 1);
  expect(toldOf(second, "channel:quiet")).toEqual([0, 1]);
  second.close();
});

test("a channel without history has no place to go on from, and says that some may be missing", async () => {
  const channel = keyline.channel<{ n: number }>("unkept");
  await channel.list();
  await known("channels/unkept");
  const [console] = consoles;
  const first = await openLive(console.url, "channel:unkept", token);
  await untilPlaced(first, "channel:unkept");
  await channel.publish({ n: 0 });
  await until(first, "channel:unkept", 0);
  first.close();
  await channel.publish({ n: 1 });
  const second = await openLive(console.url, "channel:unkept", token, first.lastEventId());
  await untilPlaced(second, "channel:unkept");
  await channel.publish({ n: 2 });
  await until(second, "channel:unkept", 2);
  expect([first, second].map((live) => toldOf(live, "channel:unkept"))).toEqual([[0], ["gap", 2]]);
  second.close();
});

test("what a history or a stream does not keep any more is announced", async () => {
  const channel = keyline.channel<{ n: number }>("short", { history: { size: 3 } });
  const stream = keyline.stream<{ n: number }>("shortened");
  await channel.list();
  await stream.append({ n: -1 });
  for (const path of ["channels/short", "streams/shortened"]) await known(path);
  const topics = ["channel:short", "stream:shortened"];
  const first = await openLive(consoles[0].url, topics.join(","), token);
  for (const topic of topics) await untilPlaced(first, topic);
  first.close();
  for (let n = 0; n < 8; n++) await Promise.all([channel.publish({ n }), stream.append({ n })]);
  await stage.valkey.xtrim(`${stage.prefix}:{shortened}:events`, "MAXLEN", 3);
  const second = await openLive(consoles[1].url, topics.join(","), token, first.lastEventId());
  for (const topic of topics) await until(second, topic, 7);
  expect(topics.map((topic) => toldOf(second, topic))).toEqual([
    ["5 skipped", 5, 6, 7],
    ["gap", 5, 6, 7],
  ]);
  second.close();
});

test("who was away for long is not told all of it, but that it is missing, and what comes then", async () => {
  const channel = keyline.channel<{ n: number }>("talkative", { history: { size: 10_000 } });
  await channel.list();
  await known("channels/talkative");
  const [console] = consoles;
  const first = await openLive(console.url, "channel:talkative", token);
  await untilPlaced(first, "channel:talkative");
  first.close();
  const count = 4_000;
  await Promise.all(Array.from({ length: count }, (_, n) => channel.publish({ n })));
  const second = await openLive(console.url, "channel:talkative", token, first.lastEventId());
  await until(second, "channel:talkative", "gap");
  await channel.publish({ n: count });
  await until(second, "channel:talkative", count);
  const told = toldOf(second, "channel:talkative");
  expect(told.at(-1)).toBe(count);
  expect(told.length).toBeLessThan(300);
  expect(told.filter((one) => one === count)).toHaveLength(1);
  second.close();
});
