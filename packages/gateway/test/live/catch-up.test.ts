import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import type { Keyline } from "keyline";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import type { StandaloneGateway } from "../../src/index.ts";
import { ConnectionLimit } from "../../src/limits/connection-limit.ts";
import { defaultLimits } from "../../src/limits/options.ts";
import { LiveConnections } from "../../src/live/connections.ts";
import { EventStream } from "../../src/live/event-stream.ts";
import { Feed } from "../../src/live/feed.ts";
import { Feeds } from "../../src/live/feeds.ts";
import { eventStreamWire } from "../../src/live/wire.ts";
import { EventSourceReader } from "../support/event-source.ts";
import { openGateway } from "../support/gateway.ts";
import { SocketReader } from "../support/socket.ts";

const count = 40;
const perChannel = 30;
const text = "x".repeat(20_000);
const names = Array.from({ length: count }, (_, n) => `many-${n}`);

let stage: Stage;
let keyline: Keyline;
let gateway: StandaloneGateway;
beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  const channels = [...names, "mixed"].map((name) => ({ channel: keyline.channel(name, { history: {} }), access: "public" }) as const);
  for (const name of names) {
    await Promise.all(Array.from({ length: perChannel }, (_, n) => keyline.channel(name).publish({ n, text })));
  }
  gateway = await openGateway({ keyline, channels, limits: { sendBufferBytes: 131_072 } });
});
afterAll(async () => {
  await gateway.close();
  await stage.close();
});

/** Long enough for the kernel's buffers to be full. */
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 500));

test("many channels on one WebSocket catch up over a slow line, and it is not cut", async () => {
  const reader = await SocketReader.open(`${gateway.url}/v1/ws`);
  onTestFinished(() => reader.close());
  for (const [sub, channel] of names.entries()) reader.send({ type: "subscribe", channel, sub, since: "earliest" });
  await reader.receive("message");
  reader.socket.pause();
  await pause();
  reader.socket.resume();
  const messages = await reader.receive("message", count * perChannel);
  for (const sub of names.keys()) {
    const seen = messages.filter((frame) => frame["sub"] === sub).map((frame) => (frame["data"] as { n: number }).n);
    expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length: perChannel }, (_, n) => n));
  }
}, 60_000);

test("many channels in one event stream catch up over a slow line, and it is not cut", async () => {
  const channels = names.map((name) => `channel=${name}`).join("&");
  const reader = await EventSourceReader.open(`${gateway.url}/v1/live?since=earliest&${channels}`);
  onTestFinished(() => reader.close());
  await reader.receive("message");
  reader.response.pause();
  await pause();
  reader.response.resume();
  expect(await reader.receive("message", count * perChannel)).toHaveLength(count * perChannel);
}, 60_000);

test("one who catches up slowly while more is published than waits for it gets all of it, once and in order", async () => {
  const channel = keyline.channel("mixed");
  const large = "x".repeat(60_000);
  const publish = async (from: number, to: number): Promise<void> => {
    for (let n = from; n < to; n++) await channel.publish({ n, large });
  };
  await publish(0, 200);
  const reader = await SocketReader.open(`${gateway.url}/v1/ws`);
  onTestFinished(() => reader.close());
  await reader.receive("hello");
  reader.send({ type: "subscribe", channel: "mixed", since: "earliest" });
  await reader.receive("message");
  reader.socket.pause();
  await publish(200, 600);
  reader.socket.resume();
  const messages = await reader.receive("message", 600);
  expect(messages.map((frame) => (frame["data"] as { n: number }).n)).toEqual(Array.from({ length: 600 }, (_, n) => n));
  expect(reader.frames.filter(({ type }) => type === "unsubscribed")).toEqual([]);
}, 60_000);

test("a foreign writer's message, which has no place, leaves the place where it is", async () => {
  const { cursor } = await keyline.channel(names[0] ?? "").publish({ n: "last" });
  const url = `${gateway.url}/v1/live?channel=${names[0]}&channel=${names[1]}`;
  const reader = await EventSourceReader.open(url);
  onTestFinished(() => reader.close());
  const begin = await expect
    .poll(() => reader.lastEventId)
    .toMatch(new RegExp(`^${cursor?.replaceAll(".", "\\.")},`))
    .then(() => reader.lastEventId);
  await stage.valkey.publish(`${stage.prefix}:{${names[0]}}:live`, JSON.stringify({ data: "foreign" }));
  const [event] = await reader.receive("message");
  expect(event).toMatchObject({ id: begin, data: { data: "foreign" } });
});

test("a socket that holds a little, and will never tell of a drain, is waited for all the same", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = once(server, "connection");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [socket] = (await accepted) as [Socket];
  client.pause();
  onTestFinished(() => {
    client.destroy();
    socket.destroy();
    server.close();
  });
  const connections = new LiveConnections(new ConnectionLimit(1, 1), defaultLimits);
  const stream = new EventStream(connections, { socket, visitor: { ip: "", token: undefined }, seat: connections.enter("somebody") });
  while (socket.writableLength === 0) {
    socket.write(Buffer.alloc(4_096));
    await new Promise(setImmediate);
  }
  expect(socket.writableNeedDrain).toBe(false);
  const waiting = Array.from({ length: 100 }, () => stream.drained());
  expect(socket.listenerCount("drain")).toBeLessThan(2);
  expect(stream.hasRoomFor(131_072)).toBe(false);
  client.resume();
  await Promise.all(waiting);
  expect(socket.writableLength).toBe(0);
});

test("a feed whose subscription ended is forgotten, and what it delivered is still counted", async () => {
  const feeds = new Feeds();
  const channel = keyline.channel(names[2] ?? "") as never;
  const feed = await feeds.open([channel], eventStreamWire);
  feed.noteDeliveries(3);
  const other = Object.defineProperty(feed, "isOver", { value: true });
  const again = await feeds.open([channel], eventStreamWire);
  expect(again).not.toBe(other);
  expect(again).toBeInstanceOf(Feed);
  expect(feeds.deliveries).toBe(3);
  feeds.close();
});
