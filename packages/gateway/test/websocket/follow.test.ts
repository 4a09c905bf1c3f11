import { z } from "zod";
import { KeylineError, type Keyline } from "keyline";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import type { StandaloneGateway, StandaloneOptions, StreamExposure } from "../../src/index.ts";
import { bearer, openGateway, signToken } from "../support/gateway.ts";
import { SocketReader, type Frame } from "../support/socket.ts";

let stage: Stage;
let keyline: Keyline;
let exposures: Record<string, StreamExposure>;
let subjects = 0;

beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  const keyed = keyline.stream<number>("numbers", { key: (n) => (n % 2 === 0 ? "even" : "odd") });
  exposures = {
    numbers: { stream: keyed, access: "public", append: "public" },
    plain: { stream: keyline.stream("plain"), access: "public", append: "nobody" },
    private: { stream: keyline.stream("private"), access: "token" },
    strict: { stream: keyline.stream("strict", { schema: z.object({ to: z.string() }) }), access: "public", append: "public" },
    large: { stream: keyline.stream<object>("large"), access: "public" },
  };
});
afterAll(() => stage.close());

async function open(options: Partial<StandaloneOptions> = {}): Promise<StandaloneGateway> {
  const gateway = await openGateway({ keyline, streams: Object.values(exposures), ...options });
  onTestFinished(() => gateway.close());
  return gateway;
}

/** A connection, as a subject of its own. */
async function connectTo({ url }: StandaloneGateway, claims: object = {}): Promise<SocketReader> {
  const token = await signToken({ sub: `follower-${subjects++}`, ...claims });
  const reader = await SocketReader.open(`${url}/v1/ws`, bearer(token));
  onTestFinished(() => reader.close());
  return reader;
}

const dataOf = (frames: readonly Frame[]): unknown[] => frames.map((frame) => frame["data"]);

describe("following", () => {
  test("begins with an answer, and brings entries with the name that the client gave it", async () => {
    const reader = await connectTo(await open());
    const answer = await reader.ask({ type: "follow", stream: "numbers", sub: 7, ref: 3 }, "following");
    expect(answer).toEqual({ type: "following", stream: "numbers", sub: 7, ref: 3, after: expect.any(String) });
    const { id } = await keyline.stream<number>("numbers").append(1);
    expect(await reader.receive("entry")).toEqual([
      { type: "entry", stream: "numbers", sub: 7, id, data: 1, at: expect.any(Number), key: "odd" },
    ]);
  });

  test("goes on behind a place after a new connection, each entry once, and each of several has its own", async () => {
    const gateway = await open();
    const stream = keyline.stream<number>("numbers");
    const first = await connectTo(gateway);
    const { after } = await first.ask({ type: "follow", stream: "numbers" }, "following");
    first.close();
    const results = await stream.appendMany([10, 11, 12, 13]);
    const second = await connectTo(gateway);
    second.send({ type: "follow", stream: "numbers", sub: 1, after });
    second.send({ type: "follow", stream: "numbers", sub: 2, after: results[1]?.id });
    second.send({ type: "follow", stream: "numbers", sub: 3, after: results[0]?.id, key: "even" });
    second.send({ type: "follow", stream: "numbers", sub: 4 });
    await second.receive("following", 4);
    await stream.append(14);
    const frames = await second.receive("entry", 10);
    const of = (sub: number) => dataOf(frames.filter((frame) => frame["sub"] === sub));
    expect([of(1), of(2), of(3), of(4)]).toEqual([[10, 11, 12, 13, 14], [12, 13, 14], [12, 14], [14]]);
  });

  test("tells of a gap in its place", async () => {
    const reader = await connectTo(await open());
    reader.send({ type: "follow", stream: "plain", after: "4000000000000-0" });
    const [gap] = await reader.receive("gap");
    expect(gap).toEqual({ type: "gap", stream: "plain", reason: "lost", after: "4000000000000-0", until: expect.any(String) });
  });

  test("ends with an unfollow, which tells where, and can begin again there", async () => {
    const reader = await connectTo(await open());
    const stream = keyline.stream("plain");
    await reader.ask({ type: "follow", stream: "plain" }, "following");
    const { id } = await stream.append("a");
    await reader.receive("entry");
    expect(await reader.ask({ type: "unfollow", stream: "plain" }, "unfollowed")).toEqual({
      type: "unfollowed",
      stream: "plain",
      code: null,
      after: id,
    });
    await stream.append("b");
    await reader.ask({ type: "follow", stream: "plain", after: id }, "following");
    expect(dataOf(await reader.receive("entry", 2))).toEqual(["a", "b"]);
    expect(await reader.ask({ type: "unfollow", stream: "none", sub: 9 }, "unfollowed")).toMatchObject({ sub: 9, after: null });
  });

  test.each([
    ["a stream that nobody declared", { stream: "nowhere" }, "UNKNOWN_STREAM"],
    ["a name that is the gateway's own", { stream: "keyline:x" }, "UNKNOWN_STREAM"],
    ["what is no name", { stream: "a b" }, "INVALID_NAME"],
    ["a place that is none", { stream: "numbers", after: "abc" }, "INVALID_ID"],
    ["a key where entries have none", { stream: "plain", key: "a" }, "INVALID_OPTION"],
    ["what the token does not list", { stream: "private" }, "FORBIDDEN"],
  ])("is refused for %s", async (_, frame, code) => {
    const reader = await connectTo(await open(), { streams: { read: ["nowhere", "keyline:*"] } });
    expect(await reader.ask({ type: "follow", sub: 5, ref: 6, ...frame }, "error")).toMatchObject({
      stream: frame.stream,
      sub: 5,
      ref: 6,
      code,
    });
  });

  test("under a name that is taken is refused, and the first goes on", async () => {
    const reader = await connectTo(await open());
    await reader.ask({ type: "follow", stream: "plain" }, "following");
    expect(await reader.ask({ type: "follow", stream: "plain" }, "error")).toMatchObject({ code: "INVALID_FRAME" });
    await keyline.stream("plain").append("once");
    await reader.ask({ type: "ping" }, "pong");
    expect(dataOf(await reader.receive("entry"))).toEqual(["once"]);
  });

  test("counts towards what one connection may have, and as a request", async () => {
    const reader = await connectTo(await open({ limits: { channelsPerConnection: 2 } }));
    for (const sub of [1, 2]) await reader.ask({ type: "follow", stream: "plain", sub }, "following");
    expect(await reader.ask({ type: "follow", stream: "plain", sub: 3 }, "error")).toMatchObject({ code: "TOO_MANY_CHANNELS" });
    await reader.ask({ type: "unfollow", stream: "plain", sub: 1 }, "unfollowed");
    await reader.ask({ type: "follow", stream: "plain", sub: 3 }, "following");

    const limited = await connectTo(await open({ limits: { requests: { max: 3, perMs: 3_600_000 } } }));
    for (const sub of [1, 2]) await limited.ask({ type: "follow", stream: "plain", sub }, "following");
    expect(await limited.ask({ type: "follow", stream: "plain", sub: 3 }, "error")).toMatchObject({ code: "RATE_LIMITED", sub: 3 });
  });

  test("over a connection that is read slowly brings everything, in order", async () => {
    const stream = keyline.stream<object>("large");
    const text = "x".repeat(20_000);
    for (let n = 0; n < 10; n++) await stream.appendMany(Array.from({ length: 50 }, (_, index) => ({ n: n * 50 + index, text })));
    const reader = await connectTo(await open({ limits: { sendBufferBytes: 131_072 } }));
    for (const sub of [1, 2]) reader.send({ type: "follow", stream: "large", after: "-", sub });
    await reader.receive("entry");
    reader.socket.pause();
    await new Promise((resolve) => setTimeout(resolve, 500));
    reader.socket.resume();
    const frames = await reader.receive("entry", 1_000);
    for (const sub of [1, 2]) {
      const numbers = frames.filter((frame) => frame["sub"] === sub).map((frame) => (frame["data"] as { n: number }).n);
      expect(numbers).toEqual(Array.from({ length: 500 }, (_, n) => n));
    }
  }, 60_000);
});

describe("a renewed token", () => {
  test("that no longer allows it ends what is followed, and nothing else", async () => {
    const gateway = await open();
    const token = (streams: object) => signToken({ sub: "ada", streams });
    const reader = await connectTo(gateway, { sub: "ada", streams: { read: ["private"] } });
    await reader.ask({ type: "follow", stream: "private", sub: 1 }, "following");
    await reader.ask({ type: "follow", stream: "plain" }, "following");
    await reader.ask({ type: "token", token: await token({ read: ["priv*"] }) }, "token");
    await keyline.stream("private").append(1);
    await reader.receive("entry");
    await reader.ask({ type: "token", token: await token({ read: [] }) }, "token");
    expect(await reader.receive("unfollowed")).toEqual([
      { type: "unfollowed", stream: "private", sub: 1, code: "FORBIDDEN", after: expect.any(String) },
    ]);
    await keyline.stream("private").append(2);
    await keyline.stream("plain").append(3);
    expect(dataOf(await reader.receive("entry", 2))).toEqual([1, 3]);
  });

  test("ends with a code that passes what the application cannot say at the moment", async () => {
    let isAway = false;
    const streams = (name: string): StreamExposure | undefined => {
      if (isAway) throw new KeylineError("POSTGRES_UNAVAILABLE", "the table of streams cannot be read");
      return exposures[name];
    };
    const reader = await connectTo(await open({ streams }), { sub: "ada" });
    await reader.ask({ type: "follow", stream: "plain" }, "following");
    isAway = true;
    await reader.ask({ type: "token", token: await signToken({ sub: "ada" }) }, "token");
    expect((await reader.receive("unfollowed"))[0]).toMatchObject({ stream: "plain", code: "POSTGRES_UNAVAILABLE" });
  });
});

describe("appending", () => {
  test("is answered with the entry's id, and a second time with the same", async () => {
    const reader = await connectTo(await open());
    const first = await reader.ask({ type: "append", stream: "numbers", data: 5, idempotencyKey: "five", ref: 1 }, "appended");
    expect(first).toEqual({ type: "appended", ref: 1, id: expect.stringMatching(/^\d+-\d+$/), appended: true });
    const second = await reader.ask({ type: "append", stream: "numbers", data: 5, idempotencyKey: "five", ref: 2 }, "appended");
    expect(second).toEqual({ ...first, ref: 2, appended: false });
  });

  test.each([
    ["nobody may", { stream: "plain", data: 1 }, "FORBIDDEN"],
    ["the token does not list", { stream: "private", data: 1 }, "FORBIDDEN"],
    ["the schema rejects", { stream: "strict", data: { to: 1 } }, "VALIDATION_FAILED"],
  ])("what %s is refused", async (_, frame, code) => {
    const reader = await connectTo(await open());
    expect(await reader.ask({ type: "append", ref: 1, ...frame }, "error")).toMatchObject({ ref: 1, stream: frame.stream, code });
  });

  test("with the right token works", async () => {
    const reader = await connectTo(await open(), { streams: { append: ["private"] } });
    await reader.ask({ type: "append", stream: "private", data: null, ref: 1 }, "appended");
  });
});

test("all followers are stopped when their connections close, or when Keyline does", async () => {
  const own = stage.keyline();
  const gateway = await open({ keyline: own, streams: [{ stream: own.stream("plain"), access: "public" }] });
  const followers = async (): Promise<string | undefined> => {
    const text = await (await fetch(`${gateway.url}/metrics`)).text();
    return /^keyline_gateway_followers (\d+)/m.exec(text)?.[1];
  };
  const [one, other] = [await connectTo(gateway), await connectTo(gateway)];
  for (const reader of [one, other]) await reader.ask({ type: "follow", stream: "plain" }, "following");
  await expect.poll(followers, { timeout: 10_000 }).toBe("2");
  one.close();
  await expect.poll(followers, { timeout: 10_000 }).toBe("1");
  await own.close();
  expect((await other.receive("unfollowed"))[0]).toMatchObject({ stream: "plain", code: "CLOSED" });
  await expect.poll(followers, { timeout: 10_000 }).toBe("0");
});
