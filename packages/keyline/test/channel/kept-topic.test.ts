import { type EmbeddedValkey, startValkey } from "@keyline/embedded";
import type { Gap, Message } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseCursor } from "../../src/channel/cursor.ts";
import { KeptTopic } from "../../src/channel/kept-topic.ts";
import { MessageReader } from "../../src/channel/message.ts";
import { Receiver } from "../../src/channel/receiver.ts";
import { silentLogger } from "../../src/runtime/logger.ts";
import { Seam } from "../../src/runtime/probe.ts";
import type { ChannelLog, HistoryPage } from "../../src/valkey/channel/channel-log.ts";
import { eventually, openStage, type Stage } from "../support/stage.ts";

// Connections are killed and the server is paused: nobody else may be on it.
let server: EmbeddedValkey;
let stage: Stage;
beforeAll(async () => {
  server = await startValkey();
  stage = await openStage({ valkeyUrl: server.url });
});
afterAll(async () => {
  await stage.close();
  await server.stop();
});

const countOf = (message: { readonly cursor: string | undefined }): number => Number(message.cursor?.split(".")[2]);

describe("a subscription", () => {
  test("is ready only when the server has confirmed it", async () => {
    const channel = stage.keyline().channel<number>("confirmed");
    const warm = channel.subscribe();
    await warm.ready;
    const other = stage.keyline().channel<number>("confirmed-too");
    await other.publish(0);
    const another = stage.keyline();
    const first = another.channel("warm").subscribe();
    await first.ready;
    // Nothing is answered for a while: a subscription that calls itself ready in that time has not been confirmed.
    await stage.valkey.client("PAUSE", 600, "ALL");
    const began = performance.now();
    const subscription = another.channel<number>("confirmed").subscribe();
    await subscription.ready;
    expect(performance.now() - began).toBeGreaterThan(400);
    await Promise.all([warm.close(), first.close(), subscription.close()]);
  });
});

describe("a message that was kept, and whose publication never came here", () => {
  test("is read when the next one shows the hole, in its place", async () => {
    const channel = stage.keyline().channel<number>("hole", { history: {} });
    const got: number[] = [];
    const gaps: Gap[] = [];
    const subscription = channel.subscribe((message) => void got.push(message.data), { onGap: (gap) => gaps.push(gap) });
    await subscription.ready;
    await channel.publish(1);
    const base = `${stage.prefix}:{hole}:history`;
    const era = await stage.valkey.hget(`${base}-state`, "era");
    const last = await stage.valkey.xadd(base, "*", "id", "unheard", "data", "2", "n", `${era}.2`);
    await stage.valkey.hset(`${base}-state`, "count", 2, "last", last ?? "");
    await channel.publish(3);
    await eventually("all came", () => got.length === 3);
    expect(got).toEqual([1, 2, 3]);
    expect(gaps).toEqual([]);
    await subscription.close();
  });
});

describe("what is read and comes live as well", () => {
  test("is handed over once, in order, through reconnects under load", async () => {
    const publisher = stage.keyline().channel<number>("once", { history: { size: 100_000 } });
    const channel = stage.keyline().channel<number>("once", { history: { size: 100_000 } });
    const got: Message<number>[] = [];
    const subscription = channel.subscribe((message) => void got.push(message));
    await subscription.ready;
    let isOver = false;
    let published = 0;
    const publishing = (async () => {
      while (!isOver) await Promise.all(Array.from({ length: 20 }, () => publisher.publish(published++)));
    })();
    for (let times = 0; times < 10; times++) {
      await new Promise((resolve) => setTimeout(resolve, 60));
      await stage.valkey.call("CLIENT", "KILL", "TYPE", "pubsub");
      await new Promise((resolve) => setTimeout(resolve, 120));
    }
    isOver = true;
    await publishing;
    await eventually("all came", () => got.length >= published);
    expect(got.map(countOf)).toEqual(Array.from({ length: published }, (_, index) => index + 1));
    await subscription.close();
  }, 60_000);
});

test("the window serves a cursor at its very beginning, and no cursor before that", async () => {
  const channel = stage.keyline().channel<number>("edge", { history: { size: 5_000 } });
  const following = channel.subscribe(() => undefined);
  await following.ready;
  const cursors = (await Promise.all(Array.from({ length: 1_203 }, (_, number) => channel.publish(number)))).map(({ cursor }) => cursor);
  await eventually("it is up to date", () => following.cursor === cursors.at(-1));
  // The newest 1,000 are in memory: those with numbers from 204 on.
  for (const from of [201, 202, 203, 204]) {
    const got: number[] = [];
    const subscription = channel.subscribe((message) => void got.push(message.data), { since: cursors[from - 1] });
    await eventually("all came", () => got.at(-1) === 1_202);
    expect(got).toEqual(Array.from({ length: 1_203 - from }, (_, index) => from + index));
    await subscription.close();
  }
  await following.close();
});

// With a history of its own making: what the servers do in microseconds takes as long as the test says.
describe("a topic", () => {
  const epoch = "5";
  const era = "aaaaaaaa";
  const end = (count: number): HistoryPage => ({ end: { epoch, era, count, last: `${count}-0` }, isKnown: true, entries: [] });
  const textOf = (count: number): string => JSON.stringify({ cursor: `${epoch}.${era}.${count}.${count}-0`, id: `m${count}`, data: count });

  function stand(): { topic: KeptTopic<unknown>; reads: ((page: HistoryPage) => void)[]; receive(since?: string): number[] } {
    const reads: ((page: HistoryPage) => void)[] = [];
    const log = {
      connection: { ensureReady: () => Promise.resolve() },
      readSince: () => new Promise<HistoryPage>((resolve) => reads.push(resolve)),
    } as unknown as ChannelLog;
    const reader = new MessageReader<unknown>("c", { schema: undefined, logger: silentLogger });
    const topic = new KeptTopic<unknown>({ channel: "c", log, reader, logger: silentLogger });
    const receive = (since?: string): number[] => {
      const got: number[] = [];
      const listener = (message: Message): void => void got.push(message.data as number);
      const receiver = new Receiver<unknown>({
        subject: "c",
        fields: {},
        listener,
        logger: silentLogger,
        seam: new Seam(),
        since,
        onClosed: () => undefined,
      });
      topic.attach(receiver, since === undefined ? since : parseCursor(since));
      return got;
    };
    return { topic, reads, receive };
  }
  const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 10));

  test("reads nothing before its subscription is confirmed", async () => {
    const { topic, reads, receive } = stand();
    receive();
    await turn();
    expect(reads).toHaveLength(0);
    topic.onConnected();
    await turn();
    expect(reads).toHaveLength(1);
  });

  test("reads again when the connection broke and came back while it read", async () => {
    const { topic, reads, receive } = stand();
    const got = receive();
    topic.onConnected();
    await turn();
    reads.shift()?.(end(1));
    await turn();
    topic.onMessage(textOf(2));
    topic.onDisconnected();
    topic.onConnected();
    await turn();
    // This read sees the end at 2; then the connection breaks once more, 3 is published, and it comes back.
    const early = reads.shift();
    topic.onDisconnected();
    topic.onConnected();
    early?.(end(2));
    await turn();
    expect(reads).toHaveLength(1);
    const entries = [{ entryId: "3-0", era, count: 3, id: "m3", data: "3" }];
    reads.shift()?.({ ...end(3), entries });
    await turn();
    expect(got).toEqual([2, 3]);
  });

  test("hands nothing twice to one who is ahead of it", async () => {
    const { topic, reads, receive } = stand();
    receive();
    topic.onConnected();
    await turn();
    reads.shift()?.(end(5));
    await turn();
    // Who comes has seen 6 and 7 in another process; here they are still on their way.
    const got = receive(`${epoch}.${era}.7.7-0`);
    for (const count of [6, 7, 8]) topic.onMessage(textOf(count));
    await turn();
    expect(got).toEqual([8]);
  });
});
