import { getEventListeners } from "node:events";
import { beforeEach, describe, expect, test } from "vitest";
import type { ClientError } from "../../src/client-error.ts";
import type { Live } from "../../src/live.ts";
import type { Gap, Message } from "../../src/subscription/message.ts";
import { Log, openClient, openGateway, reached, take } from "../support/client.ts";
import type { GatewayDouble } from "../support/gateway-double.ts";

const over = { done: true, value: undefined };
let gateway: GatewayDouble;
let live: Live;

beforeEach(async () => {
  gateway = await openGateway();
  live = openClient(gateway);
});

describe("receiving", () => {
  test("an iteration gets messages in order, with id, time, channel and cursor", async () => {
    const subscription = live.subscribe<string>("news");
    await subscription.ready;
    gateway.publish("news", "a");
    gateway.publish("news", "b");
    const iterator = subscription[Symbol.asyncIterator]();
    expect(await iterator.next()).toEqual({
      done: false,
      value: { channel: "news", id: "m1", data: "a", at: expect.any(Number), cursor: "1-1" },
    });
    expect(await iterator.next()).toMatchObject({ value: { data: "b", cursor: "1-2" } });
  });

  test("a listener is called for each message as it arrives, and `cursor` has moved by then", async () => {
    const seen = new Log<unknown>();
    const subscription = live.subscribe<string>("news", ({ data }) => seen.add([data, subscription.cursor]));
    await subscription.ready;
    gateway.publish("news", "a");
    gateway.publish("news", "b");
    expect(await seen.length(2)).toEqual([
      ["a", "1-1"],
      ["b", "1-2"],
    ]);
  });

  test("the cursor is set once the subscription is confirmed, also when nothing was received", async () => {
    gateway.publish("news", "before");
    const subscription = live.subscribe("news");
    await subscription.ready;
    expect(subscription.cursor).toBe("1-1");
  });

  test("a message without a cursor, as of another program, leaves the place where it is", async () => {
    const seen = new Log<unknown>();
    const subscription = live.subscribe<string>("news", ({ data }) => seen.add(data), { onGap: ({ reason }) => seen.add(reason) });
    await subscription.ready;
    gateway.publish("news", "a");
    gateway.sayToAll({ type: "message", channel: "news", id: "x", data: "foreign", at: 1, cursor: null });
    await seen.length(2);
    expect(subscription.cursor).toBe("1-1");
    gateway.drop();
    gateway.publish("news", "b");
    expect(await seen.length(3)).toEqual(["a", "foreign", "b"]);
    expect((await gateway.frame("subscribe", { count: 2 })).since).toBe("1-1");
  });

  test("the cursor of an iteration is that of the message handed over last, not of the one received last", async () => {
    const subscription = live.subscribe<string>("news", { since: "earliest" });
    for (const data of ["a", "b", "c"]) gateway.publish("news", data);
    expect(await take(subscription, 2)).toEqual(["a", "b"]);
    expect(subscription.cursor).toBe("1-2");
  });

  test("what a listener throws is an uncaught error, and the next message comes all the same", async () => {
    const uncaught = new Log<unknown>();
    const others = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.once("uncaughtException", uncaught.add);
    const seen = new Log<string>();
    const subscription = live.subscribe<string>("news", ({ data }) => {
      seen.add(data);
      if (data === "bad") throw new Error("of the listener");
    });
    await subscription.ready;
    gateway.publish("news", "bad");
    gateway.publish("news", "good");
    expect(await seen.length(2)).toEqual(["bad", "good"]);
    expect(await uncaught.length(1)).toEqual([expect.objectContaining({ message: "of the listener" })]);
    for (const other of others) process.on("uncaughtException", other);
  });

  test("a subscription made without a connection begins once there is one", async () => {
    await gateway.down();
    await reached(live, "offline");
    const subscription = live.subscribe<string>("news", { since: "earliest" });
    gateway.publish("news", "a");
    await gateway.up();
    expect(await take(subscription, 1)).toEqual(["a"]);
  });
});

describe("an iteration that waits", () => {
  test.each([
    ["subscribe", "unsubscribe"],
    ["follow", "unfollow"],
  ] as const)("is ended by return and throw, and nothing is left of it (%s)", async (begin, end) => {
    for (const [index, leave] of (["return", "throw"] as const).entries()) {
      const stop = new AbortController();
      const { signal } = stop;
      const opened = begin === "subscribe" ? live.subscribe("news", { signal }) : live.stream("reviews").follow({ signal });
      await opened.ready;
      const iterator: AsyncIterator<unknown, undefined> = opened[Symbol.asyncIterator]();
      const asked = [iterator.next(), iterator.next()];
      expect(await Promise.race([...asked, new Promise((resolve) => setTimeout(resolve, 5, "late"))])).toBe("late");
      const reason = new Error("enough");
      if (leave === "return") expect(await iterator.return?.()).toEqual(over);
      else await expect(iterator.throw?.(reason)).rejects.toBe(reason);
      expect(await Promise.all([...asked, iterator.next()])).toEqual([over, over, over]);
      expect(getEventListeners(signal, "abort")).toEqual([]);
      await gateway.frame(end, { count: index + 1 });
    }
  });
});

describe("several subscriptions", () => {
  test("of one channel share the connection, and each begins where it asked", async () => {
    const first = new Log<string>();
    const one = live.subscribe<string>("news", ({ data }) => first.add(data));
    await one.ready;
    for (const data of ["a", "b"]) gateway.publish("news", data);
    await first.length(2);
    const replayed = live.subscribe<string>("news", { since: "1-1" });
    const fresh = live.subscribe<string>("news");
    await Promise.all([replayed.ready, fresh.ready]);
    gateway.publish("news", "c");
    expect(await take(replayed, 2)).toEqual(["b", "c"]);
    expect(await take(fresh, 1)).toEqual(["c"]);
    expect(await first.length(3)).toEqual(["a", "b", "c"]);
    expect(gateway.connections).toBe(1);
  });

  test("go by the channel's name, and by a number for all but one of a channel", async () => {
    const first = live.subscribe("news");
    const second = live.subscribe("news");
    const other = live.subscribe("weather");
    await Promise.all([first.ready, second.ready, other.ready]);
    const subs = (): unknown[] => gateway.frames.filter(({ type }) => type === "subscribe").map(({ channel, sub }) => [channel, sub]);
    expect(subs()).toEqual([
      ["news", undefined],
      ["news", expect.any(Number)],
      ["weather", undefined],
    ]);
    // The name is free again only when nothing for the one before can come any more.
    await first.close();
    await live.subscribe("news").ready;
    expect(subs()[3]).toEqual(["news", expect.any(Number)]);
    await live.subscribe("news").ready;
    expect(subs()[4]).toEqual(["news", undefined]);
  });

  test("that are closed and made again at once get nothing of what came for the one before", async () => {
    for (let data = 0; data < 50; data++) gateway.publish("news", data);
    for (let round = 0; round < 5; round++) {
      const old = live.subscribe("news", () => undefined, { since: "earliest" });
      if (round % 2 === 0) await old.ready;
      await old.close();
      const seen = new Log<number>();
      const fresh = live.subscribe<number>("news", ({ data }) => seen.add(data), { since: "1-48" });
      expect(await seen.length(2)).toEqual([48, 49]);
      await fresh.close();
    }
  });

  test("of which one is closed leave the others be", async () => {
    const seen = new Log<string>();
    const kept = live.subscribe<string>("news", ({ data }) => seen.add(data));
    const closed = live.subscribe<string>("news", () => expect.unreachable());
    await Promise.all([kept.ready, closed.ready]);
    await closed.close();
    await gateway.frame("unsubscribe");
    gateway.publish("news", "a");
    expect(await seen.length(1)).toEqual(["a"]);
    expect(await closed.closed).toBeUndefined();
  });
});

describe("over a lost connection", () => {
  test("every message comes once and in order, however often it is lost", async () => {
    const seen = new Log<number>();
    const gaps: Gap[] = [];
    const subscription = live.subscribe<number>("news", ({ data }) => seen.add(data), { onGap: (gap) => gaps.push(gap) });
    await subscription.ready;
    const count = 300;
    for (let data = 0; data < count; data++) {
      gateway.publish("news", data);
      if (data % 50 !== 0) continue;
      gateway.drop();
      // Some losses are followed by messages that nobody is connected for.
      if (data % 100 === 0) await gateway.connected(gateway.connections + 1);
    }
    expect(await seen.length(count)).toEqual(Array.from({ length: count }, (_, data) => data));
    expect(gaps).toEqual([]);
  });

  test("what waits in the buffer of an iteration neither gets lost nor comes again", async () => {
    const subscription = live.subscribe<string>("news");
    await subscription.ready;
    for (const data of ["a", "b", "c"]) gateway.publish("news", data);
    expect(await take(subscription, 1)).toEqual(["a"]);
    gateway.drop();
    await gateway.frame("subscribe", { count: 2 });
    gateway.publish("news", "d");
    expect(await take(subscription, 3)).toEqual(["b", "c", "d"]);
  });

  test("a subscription that received nothing yet resumes where it began", async () => {
    const subscription = live.subscribe<string>("news");
    await subscription.ready;
    await gateway.down();
    gateway.publish("news", "missed");
    await gateway.up();
    expect(await take(subscription, 1)).toEqual(["missed"]);
  });

  test("a gap is announced in order, before the first message after it", async () => {
    const seen = new Log<unknown>();
    const subscription = live.subscribe<string>("news", ({ data }) => seen.add(data), { onGap: seen.add });
    await subscription.ready;
    gateway.publish("news", "a");
    await seen.length(1);
    await gateway.down();
    for (const data of ["b", "c", "d"]) gateway.publish("news", data);
    gateway.trim("news", 1);
    await gateway.up();
    expect(await seen.length(3)).toEqual(["a", { channel: "news", reason: "trimmed", missed: 2, cursor: undefined }, "d"]);
  });

  test("a gap that says where to resume is not announced again when no message came after it", async () => {
    const gaps = new Log<Gap>();
    const subscription = live.subscribe("news", () => undefined, { onGap: gaps.add });
    await subscription.ready;
    gateway.sayToAll({ type: "gap", channel: "news", reason: "restarted", missed: null, cursor: "1-0" });
    expect(await gaps.length(1)).toEqual([{ channel: "news", reason: "restarted", missed: undefined, cursor: "1-0" }]);
    expect(subscription.cursor).toBe("1-0");
    gateway.drop();
    expect((await gateway.frame("subscribe", { count: 2 })).since).toBe("1-0");
  });

  test("a gap that is found but not told before the connection is lost is found again", async () => {
    gateway.publish("news", "a");
    const gaps = new Log<Gap>();
    const subscription = live.subscribe("news", () => undefined, { onGap: gaps.add });
    await subscription.ready;
    gateway.lose("news");
    gateway.intercept = ({ type, channel }, say) => {
      if (type !== "subscribe") return false;
      gateway.intercept = () => false;
      say({ type: "subscribed", channel, cursor: "2-0" });
      setImmediate(() => gateway.close(1012));
      return true;
    };
    gateway.drop();
    expect((await gateway.frame("subscribe", { count: 3 })).since).toBe("1-1");
    expect((await gaps.length(1)).map(({ reason }) => reason)).toEqual(["lost"]);
  });

  test("a gap reaches an iteration when it gets there, not while older messages wait", async () => {
    const order: unknown[] = [];
    const subscription = live.subscribe<string>("news", { onGap: ({ reason }) => order.push(reason) });
    await subscription.ready;
    gateway.publish("news", "a");
    gateway.publish("news", "b");
    expect(await take(subscription, 1)).toEqual(["a"]);
    await gateway.down();
    gateway.lose("news");
    gateway.publish("news", "c");
    await gateway.up();
    await gateway.frame("subscribe", { count: 2 });
    order.push(...(await take(subscription, 1)));
    order.push(...(await take(subscription, 1)));
    expect(order).toEqual(["b", "lost", "c"]);
  });

  test("on a channel without history a gap is announced, though nobody knows of how many", async () => {
    gateway.channel("ticker").hasHistory = false;
    const seen = new Log<unknown>();
    const subscription = live.subscribe<string>("ticker", ({ data }) => seen.add(data), { onGap: seen.add });
    await subscription.ready;
    gateway.publish("ticker", "a");
    await seen.length(1);
    gateway.drop();
    await gateway.frame("subscribe", { count: 2 });
    gateway.publish("ticker", "b");
    expect(await seen.length(3)).toEqual(["a", { channel: "ticker", reason: "disconnected", missed: undefined, cursor: undefined }, "b"]);
    expect(subscription.cursor).toBeUndefined();
  });
});

describe("ending", () => {
  test("breaking off an iteration closes the subscription", async () => {
    const subscription = live.subscribe<string>("news", { since: "earliest" });
    gateway.publish("news", "a");
    for await (const message of subscription) {
      expect(message.data).toBe("a");
      break;
    }
    expect(await subscription.closed).toBeUndefined();
    await gateway.frame("unsubscribe");
  });

  test("a signal closes it, also one that was aborted before", async () => {
    const controller = new AbortController();
    const subscription = live.subscribe("news", { signal: controller.signal });
    const next = subscription[Symbol.asyncIterator]().next();
    controller.abort();
    expect(await next).toEqual({ done: true, value: undefined });
    const late = live.subscribe("news", { signal: controller.signal });
    expect(await late.closed).toBeUndefined();
    await expect(late.ready).rejects.toMatchObject({ code: "CLOSED" });
  });

  test("nothing is handed over after close, also of what waits", async () => {
    const subscription = live.subscribe<string>("news", { since: "earliest" });
    for (const data of ["a", "b"]) gateway.publish("news", data);
    expect(await take(subscription, 1)).toEqual(["a"]);
    await subscription.close();
    expect(await take(subscription, 1)).toEqual([]);
  });

  test("a full buffer ends it with SLOW_RECEIVER; what is in it still comes, and from `cursor` on the rest can be had", async () => {
    const errors = new Log<ClientError>();
    live.on("error", errors.add);
    const subscription = live.subscribe<number>("news", { buffer: 3 });
    await subscription.ready;
    for (let data = 0; data < 10; data++) gateway.publish("news", data);
    expect((await subscription.closed)?.code).toBe("SLOW_RECEIVER");
    const seen: number[] = [];
    const reading = (async () => {
      for await (const { data } of subscription) seen.push(data);
    })();
    await expect(reading).rejects.toMatchObject({ code: "SLOW_RECEIVER" });
    expect(seen).toEqual([0, 1, 2]);
    expect(errors.entries.map(({ code }) => code)).toEqual(["SLOW_RECEIVER"]);
    const rest = live.subscribe<number>("news", { since: subscription.cursor });
    expect(await take(rest, 7)).toEqual([3, 4, 5, 6, 7, 8, 9]);
  });

  test("a refusal ends it with the gateway's code, and it is not asked for again", async () => {
    gateway.intercept = ({ type, channel, sub }, say) => {
      if (type !== "subscribe" || channel !== "secret") return false;
      say({ type: "error", channel, sub, code: "FORBIDDEN", message: "Not yours" });
      return true;
    };
    const errors = new Log<ClientError>();
    live.on("error", errors.add);
    const subscription = live.subscribe("secret");
    await expect(subscription.ready).rejects.toMatchObject({ code: "FORBIDDEN", message: "Not yours" });
    await expect(subscription[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: "FORBIDDEN" });
    expect((await subscription.closed)?.code).toBe("FORBIDDEN");
    expect(errors.entries).toHaveLength(1);
    gateway.drop();
    await live.subscribe("news").ready;
    expect(gateway.frames.filter(({ type, channel }) => type === "subscribe" && channel === "secret")).toHaveLength(1);
  });

  test("one that the gateway ends for a while is asked for again, from where it was", async () => {
    const subscription = live.subscribe<string>("news");
    await subscription.ready;
    gateway.publish("news", "a");
    expect(await take(subscription, 1)).toEqual(["a"]);
    const { sub } = await gateway.frame("subscribe");
    gateway.sayToAll({ type: "unsubscribed", channel: "news", sub, code: "VALKEY_UNAVAILABLE", cursor: "1-1" });
    expect((await gateway.frame("subscribe", { count: 2 })).since).toBe("1-1");
  });

  test("one that is refused because of too many requests is asked for again, from where it was", async () => {
    gateway.publish("news", "a");
    let refusals = 0;
    gateway.intercept = ({ type, channel, since }, say) => {
      if (type !== "subscribe" || since === undefined || refusals++ > 1) return false;
      say({ type: "error", channel, code: "RATE_LIMITED", message: "Later" });
      return true;
    };
    const subscription = live.subscribe<string>("news", { since: "earliest" });
    expect(await take(subscription, 1)).toEqual(["a"]);
    expect(refusals).toBe(3);
    expect(gateway.frames.map(({ since }) => since)).toEqual(["earliest", "earliest", "earliest"]);
  });

  test("a channel without history that came too fast for the connection goes on after a gap", async () => {
    gateway.channel("ticker").hasHistory = false;
    const gaps = new Log<Gap>();
    const subscription = live.subscribe("ticker", () => undefined, { onGap: gaps.add });
    await subscription.ready;
    const { sub } = await gateway.frame("subscribe");
    gateway.sayToAll({ type: "unsubscribed", channel: "ticker", sub, code: "SLOW_RECEIVER", cursor: null });
    expect(await gaps.length(1)).toEqual([{ channel: "ticker", reason: "dropped", missed: undefined, cursor: undefined }]);
  });

  test("closing the client ends all, and no more can be made", async () => {
    const subscription = live.subscribe("news");
    live.close();
    expect(await subscription.closed).toBeUndefined();
    expect(await take(subscription, 1)).toEqual([]);
    expect(() => live.subscribe("news")).toThrow(expect.objectContaining({ code: "CLOSED" }));
  });

  test("a buffer that is no number of messages is refused", () => {
    expect(() => live.subscribe("news", { buffer: 0 })).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
  });
});

test("the data has the type that the caller gave", () => {
  live.subscribe<{ readonly text: string }>("news", (message: Message<{ readonly text: string }>) => message.data.text);
  // @ts-expect-error: without a type the data is unknown
  live.subscribe("news", (message) => message.data.text);
});
