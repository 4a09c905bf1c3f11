import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { Keyline } from "keyline";
import { openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import type { ChannelExposure, GatewayLimits, StandaloneGateway, StreamExposure } from "../../src/index.ts";
import { openGateway, request } from "../support/gateway.ts";
import { SocketReader } from "../support/socket.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

interface Flooded extends StandaloneGateway {
  /** How often the application was asked for a channel or a stream. */
  asked(): number;
}

/** A gateway whose application counts how often it is asked, with a public channel, and nobody's requests counted yet. */
async function open(limits: Partial<GatewayLimits>): Promise<Flooded> {
  const keyline: Keyline = stage.keyline({ prefix: `${stage.prefix}.${gateways++}` });
  let asked = 0;
  const find = <Exposure>(name: string, exposure: Exposure): Exposure | undefined => {
    asked++;
    return name === "news" ? exposure : undefined;
  };
  const gateway = await openGateway({
    keyline,
    channels: (name): ChannelExposure | undefined => find(name, { channel: keyline.channel(name), access: "public", presence: true }),
    streams: (name): StreamExposure | undefined => find(name, { stream: keyline.stream(name), access: "public" }),
    limits,
  });
  onTestFinished(() => gateway.close());
  return { ...gateway, asked: () => asked };
}
let gateways = 0;

async function connectTo({ url }: StandaloneGateway): Promise<SocketReader> {
  const reader = await SocketReader.open(`${url}/v1/ws`);
  onTestFinished(() => reader.close());
  return reader;
}

describe("the application is not asked more often than somebody may ask the gateway", () => {
  const limits = { requests: { max: 20, perMs: 3_600_000 } };

  test.each([
    ["subscribe", { type: "subscribe", channel: "nowhere" }],
    ["follow", { type: "follow", stream: "nowhere" }],
    ["watch", { type: "watch", channel: "nowhere" }],
    ["enter", { type: "enter", channel: "nowhere" }],
    ["publish", { type: "publish", channel: "nowhere", data: 1 }],
    ["append", { type: "append", stream: "nowhere", data: 1 }],
  ])("by frames that %s, over all connections of one address", async (_, frame) => {
    const gateway = await open(limits);
    const readers = await Promise.all(Array.from({ length: 5 }, () => connectTo(gateway)));
    const codes: unknown[] = [];
    for (const reader of readers) {
      for (let n = 0; n < 10; n++) reader.send(frame);
      codes.push(...(await reader.receive("error", 10)).map(({ code }) => code));
    }
    // Of twenty, the connections took five.
    expect(gateway.asked()).toBe(15);
    expect(codes.filter((code) => code === "RATE_LIMITED")).toHaveLength(35);
  });

  test("by requests, of which each channel counts as one", async () => {
    const gateway = await open(limits);
    const names = Array.from({ length: 15 }, (_, n) => `channel=nowhere-${n}`);
    expect((await request(`${gateway.url}/v1/live?channel=news&${names.join("&")}`)).status).toBe(401);
    expect(gateway.asked()).toBe(2);
    const many = `${gateway.url}/v1/live?${Array.from({ length: 30 }, () => "channel=news").join("&")}`;
    const abort = new AbortController();
    expect((await fetch(many, { signal: abort.signal })).status).toBe(200);
    abort.abort();
    expect(gateway.asked()).toBe(3);
  });
});

test("a connection of which a hundred frames in a row are refused is closed with 4429", async () => {
  const gateway = await open({ framesPerSecond: 1_000 });
  const [calm, stubborn] = [await connectTo(gateway), await connectTo(gateway)];
  for (let n = 0; n < 99; n++) for (const reader of [calm, stubborn]) reader.send({ type: "subscribe", channel: "nowhere" });
  calm.send({ type: "subscribe", channel: "news" });
  for (const reader of [calm, stubborn]) reader.send({ type: "subscribe", channel: "nowhere" });
  expect(await stubborn.closed).toBe(4429);
  expect(stubborn.frames.filter(({ type }) => type === "error")).toHaveLength(100);
  await calm.receive("error", 100);
  await calm.ask({ type: "ping" }, "pong");
});

/** A WebSocket that is open, as the socket below it. */
async function openRawSocket({ url }: StandaloneGateway): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  socket.on("error", () => undefined);
  const key = Buffer.alloc(16, "key").toString("base64");
  const head = ["Host: localhost", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", `Sec-WebSocket-Key: ${key}`];
  socket.write(["GET /v1/ws HTTP/1.1", ...head, "\r\n"].join("\r\n"));
  await new Promise((resolve) => socket.once("data", resolve));
  socket.resume();
  onTestFinished(() => void socket.destroy());
  return socket;
}

describe("every frame of WebSocket is counted", () => {
  test.each(["ping", "pong"] as const)("a flood of %s closes the connection with 4429", async (kind) => {
    const gateway = await open({ framesPerSecond: 2 });
    const reader = await connectTo(gateway);
    for (let n = 0; n < 10; n++) reader.socket[kind]();
    expect(await reader.closed).toBe(4429);
  });

  test("and a flood that goes on is read no further", async () => {
    const gateway = await open({});
    const socket = await openRawSocket(gateway);
    const pongs = Buffer.alloc(6 * 10_000, Buffer.from([0x8a, 0x80, 0, 0, 0, 0]));
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    const flood = (): void => {
      while (!socket.destroyed && socket.write(pongs));
    };
    socket.on("drain", flood);
    flood();
    await closed;
    // What the buffers of both ends hold, and not what seconds of reading come to.
    expect(socket.bytesWritten).toBeLessThan(32 * 1_048_576);
  });
});

const textFrame = (head: number, text: string): Buffer => {
  return Buffer.concat([Buffer.from([head, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);
};
const [begin, go, end] = [0x01, 0x00, 0x80];

/** The code in the close frame that the gateway sends, once the connection is closed. */
async function closeCodeOf(socket: Socket): Promise<number | undefined> {
  let last = Buffer.alloc(0);
  socket.on("data", (data) => (last = Buffer.concat([last, data])));
  await new Promise((resolve) => socket.once("close", resolve));
  const at = last.lastIndexOf(0x88);
  return at < 0 ? undefined : last.readUInt16BE(at + 2);
}

describe("a message in fragments", () => {
  test("is put together where a few are all of it", async () => {
    const gateway = await open({});
    const socket = await openRawSocket(gateway);
    const answer = new Promise<string>((resolve) => socket.on("data", (data) => resolve(data.toString())));
    socket.write(Buffer.concat([textFrame(begin, '{"type"'), textFrame(go, ':"pi'), textFrame(end, 'ng"}')]));
    expect(await answer).toContain('{"type":"pong"}');
  });

  test.each([
    ["thousands at once", 50, 4429],
    ["dozens, however slowly", 1_000, 1008],
  ])("is refused where there are %s", async (_, framesPerSecond, code) => {
    const gateway = await open({ framesPerSecond });
    const socket = await openRawSocket(gateway);
    const closed = closeCodeOf(socket);
    socket.write(textFrame(begin, " "));
    socket.write(Buffer.concat(Array.from({ length: framesPerSecond === 50 ? 16_300 : 100 }, () => textFrame(go, " "))));
    socket.end();
    expect(await closed).toBe(code);
  });

  test("has ten seconds to be finished, and so has a frame; who sends nothing has all the time", { timeout: 60_000 }, async () => {
    const gateway = await open({});
    const [idle, half, fragmented, behind] = await Promise.all([1, 2, 3, 4].map(() => openRawSocket(gateway)));
    if (!idle || !half || !fragmented || !behind) throw new Error("unreachable");
    const closed = Promise.all([half, fragmented, behind].map(closeCodeOf));
    half.write(textFrame(0x81, '{"type":"ping"}').subarray(0, 10));
    fragmented.write(textFrame(begin, '{"type"'));
    // Whatever comes in the same packet.
    behind.write(Buffer.concat([textFrame(0x81, '{"type":"ping"}'), textFrame(begin, '{"type"')]));
    expect(await closed).toEqual([4400, 4400, 4400]);
    expect(idle.destroyed).toBe(false);
    await expect.poll(() => gateway.gateway.connections).toBe(1);
  });
});

test("frames that are no requests may not be large for ever: what all requests together could hold is the most", async () => {
  const gateway = await open({ requests: { max: 3, perMs: 3_600_000 } });
  const reader = await connectTo(gateway);
  const ping = '{"type":"ping"}';
  for (let n = 0; n < 4; n++) reader.send(ping.padEnd(65_536));
  expect(await reader.closed).toBe(4429);
  expect(reader.frames.filter(({ type }) => type === "pong")).toHaveLength(3);
});
