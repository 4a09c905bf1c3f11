import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { Keyline } from "keyline";
import { openGateway, signToken } from "../../../gateway/test/support/gateway.ts";
import { eventually, openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import { connect, type Entry, type Live, type StreamGap } from "../../src/index.ts";
import { Log } from "../support/client.ts";

let stage: Stage;
let keyline: Keyline;
let gateway: Awaited<ReturnType<typeof openGateway>>;

beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  const numbers = keyline.stream<number>("numbers", { key: (n) => (n % 2 === 0 ? "even" : "odd") });
  gateway = await openGateway({
    keyline,
    streams: [
      { stream: numbers, access: "public", append: "public" },
      { stream: keyline.stream<number>("many"), access: "public" },
      { stream: keyline.stream("private"), access: "token" },
      { stream: keyline.stream("foreign"), access: "public" },
      { stream: keyline.stream<number>("ahead"), access: "public" },
      { stream: keyline.stream<number>("replaced"), access: "public" },
    ],
  });
});
afterAll(async () => {
  await gateway.close();
  await stage.close();
});

function open(token?: () => Promise<string>): Live {
  const live = connect(gateway.url, { token });
  onTestFinished(() => live.close());
  return live;
}

async function take<Data>(entries: AsyncIterable<Entry<Data>>, count: number): Promise<Data[]> {
  const taken: Data[] = [];
  for await (const { data } of entries) {
    taken.push(data);
    if (taken.length === count) break;
  }
  return taken;
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

describe("a stream", () => {
  test("is followed from now on, and what is appended over the client comes with what it was appended with", async () => {
    const stream = open().stream<number>("numbers");
    await stream.append(0, { timeout: 10_000 });
    const following = stream.follow();
    await following.ready;
    const { id, appended } = await stream.append(1);
    expect(appended).toBe(true);
    const { value } = await following[Symbol.asyncIterator]().next();
    expect(value).toEqual({ stream: "numbers", id, data: 1, at: expect.any(Number), key: "odd" });
    expect([following.stream, following.cursor]).toEqual(["numbers", id]);
  });

  test("is appended to once with an idempotency key", async () => {
    const stream = open().stream<number>("numbers");
    const following = stream.follow();
    await following.ready;
    const first = await stream.append(2, { idempotencyKey: "two", timeout: 10_000 });
    expect(await stream.append(2, { idempotencyKey: "two" })).toEqual({ id: first.id, appended: false });
    await stream.append(3);
    expect(await take(following, 2)).toEqual([2, 3]);
  });

  test("is followed several times, from different places and for one key, by listeners and iterations", async () => {
    const own = keyline.stream<number>("numbers");
    const before = new Date();
    await new Promise((resolve) => setTimeout(resolve, 5));
    const results = await own.appendMany([10, 11, 12, 13]);
    const stream = open().stream<number>("numbers");
    const heard = new Log<number>();
    const listening = stream.follow(({ data }) => heard.add(data), { after: results[1]?.id });
    const byDate = stream.follow({ after: before });
    const byTime = stream.follow({ after: before.getTime() });
    const even = stream.follow({ after: results[0]?.id, key: "even" });
    await Promise.all([listening, byDate, byTime, even].map(({ ready }) => ready));
    await own.append(14);
    expect(await heard.length(3)).toEqual([12, 13, 14]);
    expect(listening.cursor).toMatch(/^\d+-\d+$/);
    expect(await take(byDate, 5)).toEqual([10, 11, 12, 13, 14]);
    expect(await take(byTime, 5)).toEqual([10, 11, 12, 13, 14]);
    expect(await take(even, 2)).toEqual([12, 14]);
  });

  test("brings entries whose ids somebody else made of microseconds, and goes on behind them", async () => {
    const key = `${stage.prefix}:{foreign}:events`;
    for (const n of upTo(3)) await stage.valkey.xadd(key, `1700000000000000-${n}`, "data", String(n));
    const stream = open().stream<number>("foreign");
    const first = stream.follow({ after: "-" });
    expect(await take(first, 1)).toEqual([0]);
    expect(first.cursor).toBe("1700000000000000-0");
    expect(await take(stream.follow({ after: first.cursor }), 2)).toEqual([1, 2]);
    expect(await take(stream.follow({ after: 1_700_000_000_000 }), 3)).toEqual(upTo(3));
  });

  test("announces the loss of a stream whose ids were an hour ahead, and goes on with what is there now", async () => {
    const key = `${stage.prefix}:{ahead}:events`;
    const id = `${Date.now() + 3_600_000}-0`;
    await stage.valkey.xadd(key, id, "data", "1");
    const told: unknown[] = [];
    const onGap = ({ reason, after, until }: StreamGap): void => void told.push({ reason, after, until });
    const following = open()
      .stream<number>("ahead")
      .follow(({ data }) => void told.push(data), { after: "-", onGap });
    await eventually("it has the first", () => told.length === 1);
    await stage.valkey.del(key);
    const [, last] = await keyline.stream<number>("ahead").appendMany([2, 3]);
    await eventually("it has the others", () => told.length === 4);
    expect(told).toEqual([1, { reason: "lost", after: id, until: "0-0" }, 2, 3]);
    expect(following.cursor).toBe(last?.id);
    const late: unknown[] = [];
    open()
      .stream<number>("ahead")
      .follow(({ data }) => void late.push(data), { after: id, onGap: (gap) => late.push(gap.reason) });
    await eventually("it has all that is there", () => late.length === 3);
    expect(late).toEqual(["lost", 2, 3]);
  });

  test("waits for an iteration that is slower than it, and loses nothing", async () => {
    const own = keyline.stream<number>("many");
    await own.appendMany(upTo(3_000));
    const live = open();
    const errors = new Log<unknown>();
    live.on("error", errors.add);
    const following = live.stream<number>("many").follow({ after: "-", buffer: 500 });
    const taken: number[] = [];
    for await (const { data } of following) {
      taken.push(data);
      if (taken.length % 200 === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      if (taken.length === 2_000) await own.append(3_000);
      if (taken.length === 3_001) break;
    }
    expect(taken).toEqual(upTo(3_001));
    expect(errors.entries).toEqual([]);
  });

  test("that Valkey lost is announced before what there is now, to who comes back with a place in it", async () => {
    const own = keyline.stream<number>("replaced");
    const told: unknown[] = [];
    const { id } = await own.append(1);
    const ahead = `${Number(id.split("-")[0]) + 3_600_000}-0`;
    const following = open()
      .stream<number>("replaced")
      .follow(({ data }) => void told.push(data), { after: ahead, onGap: ({ reason, after, until }) => told.push([reason, after, until]) });
    await eventually("the first came", () => told.length === 2);
    const last = await own.append(2);
    await eventually("the next one came", () => told.length === 3);
    expect(told).toEqual([["lost", ahead, "0-0"], 1, 2]);
    expect(following.cursor).toBe(last.id);
  });

  test("is no longer followed after close, its signal, and leaving the loop", async () => {
    const live = open();
    const stream = live.stream<number>("numbers");
    const stop = new AbortController();
    const [one, two, three] = [stream.follow(() => expect.unreachable()), stream.follow({ signal: stop.signal }), stream.follow()];
    await Promise.all([one, two, three].map(({ ready }) => ready));
    await one.close();
    stop.abort();
    await keyline.stream<number>("numbers").append(5);
    await take(three, 1);
    expect(await Promise.all([one, two, three].map(({ closed }) => closed))).toEqual([undefined, undefined, undefined]);
    expect(await take(two, 1)).toEqual([]);
  });

  test.each([
    ["nowhere", { streams: { read: ["nowhere"] } }, {}, "UNKNOWN_STREAM"],
    ["nowhere", undefined, {}, "TOKEN_MISSING"],
    ["private", undefined, {}, "TOKEN_MISSING"],
    ["private", { streams: { read: ["numbers"] } }, {}, "FORBIDDEN"],
    ["numbers", undefined, { after: "abc" }, "INVALID_ID"],
  ])("named %s is refused to %j with %j: %s", async (name, claims, options, code) => {
    const live = open(claims && (() => signToken({ sub: "eve", ...claims })));
    expect((await live.stream(name).follow(options).closed)?.code).toBe(code);
  });

  test("that may not be appended to refuses", async () => {
    const live = open();
    await expect(live.stream("many").append(1, { timeout: 10_000 })).rejects.toMatchObject({ code: "TOKEN_MISSING" });
    await expect(live.stream("numbers").append("x".repeat(70_000))).rejects.toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
    await expect(live.stream("numbers").append(1n)).rejects.toMatchObject({ code: "NOT_SERIALIZABLE" });
    live.close();
    await expect(live.stream("numbers").append(1)).rejects.toMatchObject({ code: "CLOSED" });
    expect(() => live.stream("numbers").follow()).toThrow(expect.objectContaining({ code: "CLOSED" }));
  });
});
