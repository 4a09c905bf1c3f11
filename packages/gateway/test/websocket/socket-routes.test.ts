import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Keyline } from "keyline";
import { openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import type { StandaloneGateway } from "../../src/index.ts";
import { bearer, openGateway, request, signToken } from "../support/gateway.ts";
import { SocketReader } from "../support/socket.ts";

let stage: Stage;
let keyline: Keyline;
let gateway: StandaloneGateway;
const origin = "https://app.example";

beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  const kept = (name: string, size = 1_000) => keyline.channel(name, { history: { size } });
  const exposures = [
    { channel: kept("news"), access: "public", publish: "public" },
    { channel: kept("short", 2), access: "public" },
    { channel: keyline.channel("plain"), access: "public", publish: "nobody" },
    { channel: kept("named"), access: "public" },
    { channel: kept("private"), access: "token" },
    { channel: kept("room"), access: "token", presence: true },
  ] as const;
  const limits = { requests: { max: 30, perMs: 600_000 }, framesPerSecond: 50, channelsPerConnection: 3 };
  gateway = await openGateway({ keyline, channels: exposures, origins: [origin], limits });
});
afterAll(async () => {
  await gateway.close();
  await stage.close();
});

/** As a subject of its own, so that the tests do not count towards each other's limits. */
async function open(claims: object = {}): Promise<SocketReader> {
  const token = await signToken({ sub: `user-${subjects++}`, ...claims });
  return SocketReader.open(`${gateway.url}/v1/ws`, bearer(token));
}
let subjects = 0;
const everything = { channels: { subscribe: ["*"], publish: ["*"] } };

describe("messages", () => {
  test("come with their cursors, and after a reconnect from where the client was, each once", async () => {
    const first = await open();
    expect((await first.receive("hello"))[0]).toMatchObject({ beatMs: 15_000, gateway: expect.any(String) });
    const { cursor: start } = await first.ask({ type: "subscribe", channel: "news" }, "subscribed");
    expect(start).toEqual(expect.any(String));
    const { id, cursor } = await keyline.channel("news").publish({ n: 1 });
    expect((await first.receive("message"))[0]).toEqual({
      type: "message",
      channel: "news",
      id,
      data: { n: 1 },
      at: expect.any(Number),
      cursor,
    });
    first.close();
    await keyline.channel("news").publish({ n: 2 });
    const second = await open();
    second.send({ type: "subscribe", channel: "news", since: start });
    await second.receive("message", 2);
    await keyline.channel("news").publish({ n: 3 });
    expect((await second.receive("message", 3)).map((frame) => frame["data"])).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
    expect(second.frames[1]).toMatchObject({ type: "subscribed", channel: "news", cursor: start });
    second.close();
  });

  test.each([10, 125, 126, 65_000, 65_536, 200_000])("of %i bytes arrive whole", async (length) => {
    const reader = await open();
    await reader.ask({ type: "subscribe", channel: "plain" }, "subscribed");
    const data = "ü".repeat(length / 2);
    await keyline.channel("plain").publish(data);
    expect((await reader.receive("message"))[0]).toMatchObject({ data, cursor: null });
    reader.close();
  });

  test("that can no longer be had are announced as a gap", async () => {
    const { cursor } = await keyline.channel("short").publish(0);
    for (let n = 1; n <= 5; n++) await keyline.channel("short").publish(n);
    const reader = await open();
    reader.send({ type: "subscribe", channel: "short", since: cursor });
    await reader.receive("message", 2);
    expect(reader.frames.map(({ type }) => type)).toEqual(["hello", "subscribed", "gap", "message", "message"]);
    expect(reader.frames[2]).toMatchObject({ channel: "short", reason: "trimmed", missed: 3 });
    reader.close();
  });

  test("no longer come after an unsubscribe", async () => {
    const reader = await open();
    await reader.ask({ type: "subscribe", channel: "plain" }, "subscribed");
    expect(await reader.ask({ type: "unsubscribe", channel: "plain" }, "unsubscribed")).toEqual({
      type: "unsubscribed",
      channel: "plain",
      code: null,
      cursor: null,
    });
    await reader.ask({ type: "subscribe", channel: "news" }, "subscribed");
    await keyline.channel("plain").publish("unheard");
    await keyline.channel("news").publish("heard");
    expect((await reader.receive("message")).map((frame) => frame["data"])).toEqual(["heard"]);
    reader.close();
  });

  test("are published, and the answer says to which of the publisher's frames it belongs", async () => {
    const reader = await open(everything);
    await reader.ask({ type: "subscribe", channel: "private" }, "subscribed");
    const answer = await reader.ask({ type: "publish", channel: "private", data: { a: 1 }, ref: 7 }, "published");
    expect(answer).toEqual({ type: "published", ref: 7, id: expect.any(String), receivers: 1 });
    expect((await reader.receive("message"))[0]).toMatchObject({ id: answer["id"], data: { a: 1 } });
    reader.close();
  });
});

describe("a subscription with a name of its own", () => {
  test("brings the same channel again, from another place, and ends alone", async () => {
    const { cursor } = await keyline.channel("named").publish(0);
    for (const n of [1, 2]) await keyline.channel("named").publish(n);
    const reader = await open();
    reader.send({ type: "subscribe", channel: "named", sub: 1, since: cursor });
    reader.send({ type: "subscribe", channel: "named", sub: 2, since: "earliest" });
    await reader.receive("message", 5);
    const seenBy = (sub: number) =>
      reader.frames.filter((frame) => frame.type === "message" && frame["sub"] === sub).map((frame) => frame["data"]);
    expect([seenBy(1), seenBy(2)]).toEqual([
      [1, 2],
      [0, 1, 2],
    ]);
    expect(await reader.ask({ type: "subscribe", channel: "named", sub: 2 }, "error")).toMatchObject({ code: "INVALID_FRAME", sub: 2 });
    const last = reader.frames.findLast((frame) => frame.type === "message");
    expect(await reader.ask({ type: "unsubscribe", channel: "named", sub: 1 }, "unsubscribed")).toEqual({
      type: "unsubscribed",
      channel: "named",
      sub: 1,
      code: null,
      cursor: last?.["cursor"],
    });
    await keyline.channel("named").publish(3);
    await reader.receive("message", 6);
    expect([seenBy(1), seenBy(2)]).toEqual([
      [1, 2],
      [0, 1, 2, 3],
    ]);
    expect(await reader.ask({ type: "unsubscribe", channel: "named", sub: 9 }, "unsubscribed")).toMatchObject({
      sub: 9,
      code: null,
      cursor: null,
    });
    reader.close();
  });
});

describe("what one may not do is an error, and the connection goes on", () => {
  test.each([
    ["an unknown channel", { type: "subscribe", channel: "nowhere" }, "UNKNOWN_CHANNEL"],
    ["what is no name", { type: "subscribe", channel: "a b" }, "INVALID_NAME"],
    ["a private channel that the token does not list", { type: "subscribe", channel: "private" }, "FORBIDDEN"],
    ["a cursor that is none", { type: "subscribe", channel: "news", since: "x\r\ny" }, "INVALID_CURSOR"],
    ["a cursor that only looks like one", { type: "subscribe", channel: "news", since: "abc" }, "INVALID_CURSOR"],
    ["publishing where nobody may", { type: "publish", channel: "plain", data: 1, ref: 1 }, "FORBIDDEN"],
    ["publishing without the right", { type: "publish", channel: "private", data: 1, ref: 1 }, "FORBIDDEN"],
    ["entering where no presence is kept", { type: "enter", channel: "news" }, "FORBIDDEN"],
  ])("%s", async (_, frame, code) => {
    const reader = await open({ channels: { subscribe: ["nowhere"] } });
    expect(await reader.ask(frame, "error")).toMatchObject({ ...("ref" in frame ? { ref: 1 } : {}), channel: frame.channel, code });
    await reader.ask({ type: "ping" }, "pong");
    reader.close();
  });

  test("more channels than a connection may have", async () => {
    const reader = await open(everything);
    for (const channel of ["news", "plain", "short"]) await reader.ask({ type: "subscribe", channel }, "subscribed");
    expect(await reader.ask({ type: "subscribe", channel: "private" }, "error")).toMatchObject({ code: "TOO_MANY_CHANNELS" });
    expect(await reader.ask({ type: "subscribe", channel: "news" }, "error")).toMatchObject({ code: "INVALID_FRAME" });
    reader.close();
  });

  test("more messages than a subject may publish, over WebSocket and HTTP together", async () => {
    const token = await signToken({ sub: "eager" });
    const reader = await SocketReader.open(`${gateway.url}/v1/ws`, bearer(token));
    for (let ref = 0; ref < 40; ref++) reader.send({ type: "publish", channel: "news", data: ref, ref });
    await reader.receive("published", 29);
    expect((await reader.receive("error", 11))[0]).toMatchObject({ code: "RATE_LIMITED", ref: 29 });
    const answer = await request(`${gateway.url}/v1/channels/news/messages`, { body: { data: 1 }, headers: bearer(token) });
    expect(answer).toMatchObject({ status: 429, body: { code: "RATE_LIMITED" } });
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
    reader.close();
  });
});

describe("a token in a frame", () => {
  test("opens private channels to a connection that began without one", async () => {
    const reader = await SocketReader.open(`${gateway.url}/v1/ws`);
    expect(await reader.ask({ type: "subscribe", channel: "private" }, "error")).toMatchObject({ code: "TOKEN_MISSING" });
    const answer = await reader.ask({ type: "token", token: await signToken(everything) }, "token");
    expect(answer).toEqual({ type: "token", expiresAt: expect.any(Number), expiresInMs: expect.any(Number) });
    await reader.ask({ type: "subscribe", channel: "private" }, "subscribed");
    reader.close();
  });

  test("is taken before the frame behind it, without waiting for the answer", async () => {
    const reader = await SocketReader.open(`${gateway.url}/v1/ws`);
    reader.send({ type: "token", token: await signToken(everything) });
    reader.send({ type: "subscribe", channel: "private" });
    await reader.receive("subscribed");
    reader.close();
  });

  test("that is not good closes a connection that has no other", async () => {
    const reader = await SocketReader.open(`${gateway.url}/v1/ws`);
    expect(await reader.ask({ type: "token", token: "nonsense" }, "error")).toMatchObject({ code: "TOKEN_INVALID" });
    expect(await reader.closed).toBe(4401);
  });

  test("renews one that is about to expire; what it no longer allows ends", async () => {
    const exp = Math.floor(Date.now() / 1_000) + 4;
    const reader = await open({ sub: "renewer", exp, ...everything });
    await reader.ask({ type: "subscribe", channel: "private" }, "subscribed");
    await reader.ask({ type: "subscribe", channel: "news" }, "subscribed");
    expect((await reader.receive("error"))[0]).toMatchObject({ code: "TOKEN_EXPIRED" });
    await reader.ask({ type: "token", token: await signToken({ sub: "renewer" }) }, "token");
    expect((await reader.receive("unsubscribed"))[0]).toMatchObject({ channel: "private", code: "FORBIDDEN", cursor: expect.any(String) });
    await keyline.channel("news").publish("still there");
    await reader.receive("message");
    reader.close();
  });

  test("that expires closes the connection within seconds, whatever it is subscribed to", async () => {
    const exp = Math.floor(Date.now() / 1_000) + 4;
    const reader = await open({ exp });
    await reader.ask({ type: "subscribe", channel: "news" }, "subscribed");
    expect(await reader.closed).toBe(4401);
    expect(Date.now() - exp * 1_000).toBeLessThan(5_000);
  });

  test("of another subject is refused", async () => {
    const reader = await open({ sub: "one" });
    expect(await reader.ask({ type: "token", token: await signToken({ sub: "two" }) }, "error")).toMatchObject({ code: "FORBIDDEN" });
    reader.close();
  });
});

describe("presence", () => {
  const room = { channels: { subscribe: ["room"] } };

  test("tells who is there, who joins and who leaves, also when a connection breaks", async () => {
    const ada = await open({ sub: "ada", ...room });
    const bob = await open({ sub: "bob", ...room });
    expect(await ada.ask({ type: "enter", channel: "room", info: { name: "A" }, ref: 1 }, "done")).toEqual({ type: "done", ref: 1 });
    await ada.ask({ type: "enter", channel: "room", info: { name: "Ada" } }, "done");
    const present = await bob.ask({ type: "watch", channel: "room", ref: 2 }, "present");
    expect(present).toMatchObject({
      channel: "room",
      ref: 2,
      members: [{ member: "ada", info: { name: "Ada" }, since: expect.any(Number) }],
    });
    bob.send({ type: "enter", channel: "room" });
    expect((await bob.receive("joined"))[0]).toMatchObject({ channel: "room", member: "bob" });
    ada.close();
    expect((await bob.receive("left"))[0]).toMatchObject({ channel: "room", member: "ada" });
    bob.send({ type: "leave", channel: "room" });
    expect((await bob.receive("left", 2))[1]).toMatchObject({ member: "bob" });
    bob.close();
  });

  test("is for those who may read the channel", async () => {
    const reader = await SocketReader.open(`${gateway.url}/v1/ws`);
    expect(await reader.ask({ type: "token", token: await signToken({ sub: "watcher", channels: {} }) }, "token")).toBeTruthy();
    expect(await reader.ask({ type: "enter", channel: "room", ref: 5 }, "error")).toMatchObject({ code: "FORBIDDEN", ref: 5 });
    reader.close();
  });
});

describe("an invalid frame closes the connection with 4400", () => {
  const nested = `{"type":"publish","channel":"news","data":${"[".repeat(10_000)}${"]".repeat(10_000)}}`;
  test.each([
    ["no JSON", "{"],
    ["no object", "[1]"],
    ["an unknown type", '{"type":"shutdown"}'],
    ["a member too many", '{"type":"subscribe","channel":"news","tx":1}'],
    ["a member too few", '{"type":"subscribe"}'],
    ["10,000 levels", nested],
    ["__proto__", '{"type":"publish","channel":"news","data":{"__proto__":{"polluted":1}}}'],
  ])("%s", async (_, text) => {
    const reader = await open();
    reader.send(text);
    expect(await reader.closed).toBe(4400);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });

  test("binary data", async () => {
    const reader = await open();
    reader.socket.send(Buffer.from('{"type":"ping"}'), { binary: true });
    expect(await reader.closed).toBe(4400);
  });
});

test("a frame that is too big closes the connection with 1009", async () => {
  const reader = await open();
  reader.send({ type: "publish", channel: "news", data: "x".repeat(65_536) });
  expect(await reader.closed).toBe(1009);
});

test("too many frames close the connection with 4429", async () => {
  const reader = await open();
  for (let n = 0; n < 200; n++) reader.send({ type: "ping" });
  expect(await reader.closed).toBe(4429);
});

test("a client that speaks no WebSocket after the handshake disturbs nobody", async () => {
  const socket = connect(Number(new URL(gateway.url).port), "127.0.0.1");
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.on("error", () => undefined);
  socket.write(
    "GET /v1/ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
  await new Promise((resolve) => socket.once("data", resolve));
  socket.write("GET / HTTP/1.1\r\n\r\n".repeat(100));
  socket.resume();
  await closed;
  expect((await request(`${gateway.url}/healthz`)).status).toBe(200);
});

describe("a handshake", () => {
  test.each([
    ["null", "null"],
    ["another site", "https://evil.example"],
    ["a longer name", "https://app.example.evil.example"],
    ["a name that ends the same", "https://evilapp.example"],
    ["another port", "https://app.example:444"],
    ["another scheme", "http://app.example"],
    ["another case", "https://APP.example"],
    ["a slash too many", "https://app.example/"],
    ["its own address", "own"],
  ])("from %s is refused before it is accepted, with a token or not", async (_, from) => {
    const headers = { origin: from === "own" ? gateway.url : from };
    await expect(SocketReader.open(`${gateway.url}/v1/ws`, headers)).rejects.toThrow("status 403");
    await expect(SocketReader.open(`${gateway.url}/v1/ws`, { ...headers, ...bearer(await signToken()) })).rejects.toThrow("status 403");
  });

  test("from an origin that is listed, and from a program, is accepted", async () => {
    for (const headers of [{ origin }, bearer(await signToken())]) (await SocketReader.open(`${gateway.url}/v1/ws`, headers)).close();
  });

  test("with a token that is not good is refused", async () => {
    await expect(SocketReader.open(`${gateway.url}/v1/ws`, bearer("nonsense"))).rejects.toThrow("status 401");
  });

  test("with the key missing is refused, and counts for nothing afterwards", async () => {
    const socket = connect(Number(new URL(gateway.url).port), "127.0.0.1");
    socket.write("GET /v1/ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    const text = await new Promise((resolve) => socket.once("data", (data) => resolve(data.toString())));
    expect(text).toMatch(/^HTTP\/1\.1 4/);
    socket.destroy();
  });

  test("is what the address is for: a plain GET is told so", async () => {
    expect(await request(`${gateway.url}/v1/ws`)).toMatchObject({ status: 426, body: { code: "UPGRADE_REQUIRED" } });
  });
});

test("nothing of all these connections stays behind", async () => {
  await expect.poll(() => gateway.gateway.connections, { timeout: 10_000 }).toBe(0);
  expect(await keyline.channel("room").presence.members()).toEqual([]);
  expect(stage.log.filter(({ level }) => level === "error")).toEqual([]);
});
