import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Keyline } from "keyline";
import { eventually, openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import type { StandaloneGateway } from "../../src/index.ts";
import { EventSourceReader } from "../support/event-source.ts";
import { openGateway } from "../support/gateway.ts";
import { SocketReader } from "../support/socket.ts";

let stage: Stage;
let keyline: Keyline;
let gateway: StandaloneGateway;
const sendBufferBytes = 262_144;
const text = "x".repeat(10_000);

beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  const channels = [
    { channel: keyline.channel("news", { history: { size: 10_000 } }), access: "public" },
    { channel: keyline.channel("deep", { history: { size: 10_000 } }), access: "public" },
  ] as const;
  gateway = await openGateway({ keyline, channels, limits: { sendBufferBytes } });
});
afterAll(async () => {
  await gateway.close();
  await stage.close();
});

const url = (): string => `${gateway.url}/v1/channels/news/messages`;

/** A client that asks for a stream, and then reads nothing. */
async function openDeaf(path: string): Promise<Socket> {
  const socket = connect(Number(new URL(gateway.url).port), "127.0.0.1");
  socket.on("error", () => undefined);
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  await new Promise((resolve) => socket.once("readable", resolve));
  return socket;
}

/** Publishes until a receiver is cut; the sizes of the kernel's buffers are its own affair. */
async function publishUntilCut(): Promise<number> {
  const channel = keyline.channel("news");
  const before = await countCuts();
  let isCut = false;
  const watching = eventually("one was cut", async () => (isCut = (await countCuts()) > before));
  let n = 0;
  for (; !isCut; n++) await channel.publish({ n, text });
  await watching;
  return n;
}

async function countCuts(): Promise<number> {
  const lines = (await (await fetch(`${gateway.url}/metrics`)).text()).split("\n");
  const line = lines.find((line) => line.startsWith('keyline_gateway_connections_ended_total{code="SLOW_RECEIVER"}'));
  return Number(line?.split(" ").at(-1) ?? 0);
}

test("a receiver that never reads is cut, while others get everything", async () => {
  const good = await EventSourceReader.open(url());
  await openDeaf("/v1/channels/news/messages");
  await eventually("both are there", () => gateway.gateway.connections === 2);
  const published = await publishUntilCut();
  await eventually("it is gone", () => gateway.gateway.connections === 1);
  const events = await good.receive("message", published);
  expect(events.map(({ data }) => (data["data"] as { n: number }).n)).toEqual(Array.from({ length: published }, (_, n) => n));
  good.close();
});

test("a WebSocket that is not read is cut with 4408, and resumes by its cursor without a hole", async () => {
  const reader = await SocketReader.open(`${gateway.url}/v1/ws`);
  const { cursor } = await reader.ask({ type: "subscribe", channel: "news" }, "subscribed");
  reader.socket.pause();
  const published = await publishUntilCut();
  reader.socket.resume();
  expect(await reader.closed).toBe(4408);
  const got = reader.frames.filter(({ type }) => type === "message");
  expect(got.length).toBeLessThan(published);
  const again = await SocketReader.open(`${gateway.url}/v1/ws`);
  again.send({ type: "subscribe", channel: "news", since: got.at(-1)?.["cursor"] ?? cursor });
  const rest = await again.receive("message", published - got.length);
  const numbers = [...got, ...rest].map((frame) => (frame["data"] as { n: number }).n);
  expect(numbers).toEqual(Array.from({ length: published }, (_, n) => n));
  again.close();
});

test("who resumes far behind gets ten times the buffer's size, because it is read", async () => {
  const channel = keyline.channel("deep");
  const count = (10 * sendBufferBytes) / 10_000;
  for (let n = 0; n < count; n++) await channel.publish({ n, text });
  const reader = await EventSourceReader.open(`${gateway.url}/v1/channels/deep/messages?since=earliest`);
  const socket = await SocketReader.open(`${gateway.url}/v1/ws`);
  socket.send({ type: "subscribe", channel: "deep", since: "earliest" });
  await channel.publish({ n: Math.ceil(count), text });
  expect(await reader.receive("message", Math.ceil(count) + 1)).toHaveLength(Math.ceil(count) + 1);
  expect(await socket.receive("message", Math.ceil(count) + 1)).toHaveLength(Math.ceil(count) + 1);
  reader.close();
  socket.close();
});
