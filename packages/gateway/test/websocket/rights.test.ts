import { PassThrough } from "node:stream";
import { KeylineError, type Keyline } from "keyline";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import { startGateway, type ChannelExposure, type StandaloneGateway, type StandaloneOptions } from "../../src/index.ts";
import { PresenceDesk } from "../../src/websocket/presence-desk.ts";
import type { Session } from "../../src/websocket/session.ts";
import { bearer, openGateway, signToken } from "../support/gateway.ts";
import { SocketReader } from "../support/socket.ts";

let stage: Stage;
let keyline: Keyline;
beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  keyline.channel("news", { history: {} });
});
afterAll(() => stage.close());

async function open(options: Partial<StandaloneOptions>): Promise<StandaloneGateway> {
  const gateway = await openGateway({ keyline, ...options });
  onTestFinished(() => gateway.close());
  return gateway;
}

/** A connection, with a token where claims are given. */
async function connectTo({ url }: StandaloneGateway, claims?: object): Promise<SocketReader> {
  const reader = await SocketReader.open(`${url}/v1/ws`, claims ? bearer(await signToken({ ...claims })) : {});
  onTestFinished(() => reader.close());
  return reader;
}

const exposure = (name: string): ChannelExposure => ({ channel: keyline.channel(name), access: "token", presence: true });
const everything = { channels: { subscribe: ["*"], publish: ["*"] } };

describe("a renewed token", () => {
  test("that no longer allows it ends watches and stays, and says so", async () => {
    const gateway = await open({ channels: [exposure("room"), exposure("hall")] });
    const ada = await connectTo(gateway, { sub: "ada", ...everything });
    const bob = await connectTo(gateway, { sub: "bob", ...everything });
    for (const channel of ["room", "hall"]) {
      await ada.ask({ type: "enter", channel, ref: 1 }, "done");
      await ada.ask({ type: "watch", channel }, "present");
      await bob.ask({ type: "watch", channel }, "present");
    }
    await ada.ask({ type: "token", token: await signToken({ sub: "ada", channels: { subscribe: ["hall"] } }) }, "token");
    expect(await ada.receive("withdrawn", 2)).toEqual([
      { type: "withdrawn", what: "watch", channel: "room", code: "FORBIDDEN" },
      { type: "withdrawn", what: "enter", channel: "room", code: "FORBIDDEN" },
    ]);
    expect((await bob.receive("left"))[0]).toMatchObject({ channel: "room", member: "ada" });
    for (const channel of ["room", "hall"]) await bob.ask({ type: "enter", channel }, "done");
    expect((await ada.receive("joined")).map(({ channel, member }) => [channel, member])).toEqual([["hall", "bob"]]);
  });

  test("ends nothing for good while the application cannot say what it allows", async () => {
    let isAway = false;
    const channels = (name: string): ChannelExposure => {
      if (isAway) throw new KeylineError("POSTGRES_UNAVAILABLE", "the table of channels cannot be read");
      return exposure(name);
    };
    const gateway = await open({ channels });
    const reader = await connectTo(gateway, { sub: "cleo", ...everything });
    await reader.ask({ type: "subscribe", channel: "room" }, "subscribed");
    await reader.ask({ type: "watch", channel: "room" }, "present");
    isAway = true;
    await reader.ask({ type: "token", token: await signToken({ sub: "cleo", ...everything }) }, "token");
    expect((await reader.receive("unsubscribed"))[0]).toMatchObject({ channel: "room", code: "POSTGRES_UNAVAILABLE" });
    expect((await reader.receive("withdrawn"))[0]).toMatchObject({ what: "watch", code: "POSTGRES_UNAVAILABLE" });
    expect(await reader.ask({ type: "subscribe", channel: "room" }, "error")).toMatchObject({ code: "POSTGRES_UNAVAILABLE" });
    isAway = false;
    await reader.ask({ type: "subscribe", channel: "room" }, "subscribed");
  });

  test("is not needed to leave, and to look away", async () => {
    const exposures = new Map([["lobby", exposure("lobby")]]);
    const gateway = await open({ channels: (name) => exposures.get(name) });
    const reader = await connectTo(gateway, { sub: "dora", ...everything });
    await reader.ask({ type: "enter", channel: "lobby" }, "done");
    await reader.ask({ type: "watch", channel: "lobby" }, "present");
    exposures.clear();
    expect(await reader.ask({ type: "unwatch", channel: "lobby", ref: 1 }, "done")).toMatchObject({ ref: 1 });
    expect(await reader.ask({ type: "leave", channel: "lobby", ref: 2 }, "done")).toMatchObject({ ref: 2 });
    expect(await keyline.channel("lobby").presence.members()).toEqual([]);
    expect(reader.frames.filter(({ type }) => type === "error")).toEqual([]);
  });
});

describe("connections that say in a frame whose they are", () => {
  test("are counted by subject from then on, and no longer by address", async () => {
    const gateway = await open({ limits: { connectionsPerVisitor: 2 } });
    const as = async (sub: string): Promise<SocketReader> => {
      const reader = await connectTo(gateway);
      reader.send({ type: "token", token: await signToken({ sub }) });
      return reader;
    };
    const first = await as("ada");
    await first.receive("token");
    await (await as("ada")).receive("token");
    const third = await as("ada");
    expect((await third.receive("error"))[0]).toMatchObject({ code: "TOO_MANY_CONNECTIONS" });
    expect(await third.closed).toBe(4429);
    for (const sub of ["bob", "cleo", "dora"]) await (await as(sub)).receive("token");
    first.close();
    await expect.poll(() => gateway.gateway.connections).toBe(4);
    await (await as("ada")).receive("token");
  });
});

describe("the request limit counts", () => {
  const limits = { requests: { max: 5, perMs: 3_600_000 } };
  test.each([
    ["subscriptions that resume", { type: "subscribe", channel: "news", since: "earliest" }, { type: "unsubscribe", channel: "news" }],
    ["stays", { type: "enter", channel: "room" }, { type: "leave", channel: "room" }],
    ["watches", { type: "watch", channel: "room" }, { type: "unwatch", channel: "room" }],
  ])("%s", async (what, begin, end) => {
    const news = { channel: keyline.channel("news"), access: "public" } as const;
    const gateway = await open({ limits, channels: [news, exposure("room")] });
    const reader = await connectTo(gateway, { sub: what, ...everything });
    for (let n = 0; n < 5; n++) {
      reader.send(begin);
      reader.send(end);
    }
    expect((await reader.receive("error"))[0]).toMatchObject({ code: "RATE_LIMITED", channel: begin.channel });
    // The connection itself was one of the five, and what ends something is not counted.
    const type = { subscribe: "unsubscribed", enter: "done", watch: "done" }[begin.type] ?? "";
    await reader.receive(type, begin.type === "enter" ? 9 : 5);
    expect(reader.frames.filter((frame) => frame.type === "error")).toHaveLength(1);
  });

  test("tokens after the first", async () => {
    const gateway = await open({ limits });
    const reader = await connectTo(gateway, { sub: "renewer" });
    for (let ref = 0; ref < 5; ref++) reader.send({ type: "token", token: await signToken({ sub: "renewer" }), ref });
    expect((await reader.receive("error"))[0]).toMatchObject({ code: "RATE_LIMITED", ref: 4 });
    expect(await reader.receive("token", 4)).toHaveLength(4);
    await reader.ask({ type: "ping" }, "pong");
  });
});

test("watches and stays count as channels of a connection; who does it again is counted once", async () => {
  const channels = ["one", "two", "three"].map(exposure);
  const gateway = await open({ channels, limits: { channelsPerConnection: 3 } });
  const reader = await connectTo(gateway, { sub: "greedy", ...everything });
  await reader.ask({ type: "subscribe", channel: "one" }, "subscribed");
  await reader.ask({ type: "watch", channel: "two" }, "present");
  await reader.ask({ type: "enter", channel: "two" }, "done");
  for (const type of ["subscribe", "watch", "enter"]) {
    expect(await reader.ask({ type, channel: "three" }, "error")).toMatchObject({ code: "TOO_MANY_CHANNELS", channel: "three" });
  }
  await reader.ask({ type: "watch", channel: "two" }, "present");
  await reader.ask({ type: "enter", channel: "two", info: "again" }, "done");
  await reader.ask({ type: "unwatch", channel: "two" }, "done");
  await reader.ask({ type: "subscribe", channel: "three" }, "subscribed");
});

test("twice as many frames as the greeting says may come at once, and no more", async () => {
  const gateway = await open({ limits: { framesPerSecond: 40 } });
  const reader = await connectTo(gateway);
  expect((await reader.receive("hello"))[0]).toMatchObject({ framesPerSecond: 40 });
  for (let n = 0; n < 78; n++) reader.send({ type: "ping" });
  await reader.receive("pong", 78);
  for (let n = 0; n < 78; n++) reader.send({ type: "ping" });
  expect(await reader.closed).toBe(4429);
});

test("an application whose logger throws loses the connection, and nothing else", async () => {
  const ignore = (): void => undefined;
  const fail = (): never => {
    throw new Error("the log is full");
  };
  const gateway = await open({ channels: fail, logger: { debug: ignore, info: ignore, warn: ignore, error: fail } });
  const reader = await connectTo(gateway);
  reader.send({ type: "subscribe", channel: "news" });
  reader.send({ type: "subscribe", channel: "news" });
  expect(await reader.closed).toBe(1011);
});

test("without a key a token in a frame is taken, and not looked at", async () => {
  const gateway = await startGateway({ keyline, channels: [exposure("room")], port: 0, closeOn: [] });
  onTestFinished(() => gateway.close());
  const reader = await connectTo(gateway);
  const answer = await reader.ask({ type: "token", token: "of another issuer", ref: 3 }, "token");
  expect(answer).toEqual({ type: "token", ref: 3, expiresAt: null, expiresInMs: null });
  await reader.ask({ type: "subscribe", channel: "room" }, "subscribed");
});

describe("the presence desk remembers nothing of", () => {
  const token = { subject: "ada", id: undefined, issuedAt: 0, expiresAt: 0, subscribe: [], publish: [], read: [], append: [], queues: [] };
  const visit = (): { session: Session; frames: object[] } => {
    const frames: object[] = [];
    const socket = new PassThrough();
    const send = (frame: object): void => void frames.push(frame);
    return { session: { socket, send, visitor: { ip: "", token } } as unknown as Session, frames };
  };
  const failures: unknown[] = [];
  const desk = new PresenceDesk((error) => failures.push(error));
  const { channel } = { channel: () => keyline.channel("desk") as ChannelExposure["channel"] };

  test("somebody whose only stay failed", async () => {
    const { session } = visit();
    await expect(desk.enter(session, channel(), "x".repeat(5_000))).rejects.toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
    expect(desk.size).toBe(0);
  });

  test("somebody who has left before the watch was open", async () => {
    const { session } = visit();
    const watching = desk.watch(session, channel(), undefined);
    session.socket.destroy();
    desk.forget(session);
    await watching;
    expect(desk.size).toBe(0);
    await expect.poll(() => stage.valkey.pubsub("CHANNELS", `${stage.prefix}*desk*presence*`)).toEqual([]);
  });

  test("somebody who has left before the stay was known, and what it said before", async () => {
    const { session } = visit();
    await desk.enter(session, channel(), "before");
    const entering = desk.enter(session, channel(), "x".repeat(5_000));
    session.socket.destroy();
    desk.forget(session);
    await entering.catch(() => undefined);
    await expect.poll(() => keyline.channel("desk").presence.members()).toEqual([]);
    expect(desk.size).toBe(0);
  });

  test("a watch that failed, and a new one of the same channel stays", async () => {
    const [one, other] = [visit(), visit()];
    const failing = { name: "desk", presence: { watch: () => Promise.reject(new Error("away")) } } as unknown as ChannelExposure["channel"];
    const failed = desk.watch(one.session, failing, undefined).catch((error: Error) => error.message);
    expect(await failed).toBe("away");
    const watching = desk.watch(other.session, channel(), undefined);
    await new Promise(setImmediate);
    expect(desk.watchesOf(other.session)).toEqual(["desk"]);
    await watching;
    expect(other.frames).toMatchObject([{ type: "present" }]);
    // One who comes and goes meanwhile closes nothing for the others.
    const late = visit();
    const arriving = desk.watch(late.session, channel(), undefined);
    desk.unwatch(other.session, "desk");
    await arriving;
    await keyline.channel("desk").presence.enter("bob");
    await expect.poll(() => late.frames).toMatchObject([{ type: "present" }, { type: "joined", member: "bob" }]);
    desk.unwatch(late.session, "desk");
    expect(desk.size).toBe(0);
  });
});
