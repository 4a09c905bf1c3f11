import { connect, type Socket } from "node:net";
import type { Keyline, Stream } from "keyline";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { eventually, openQuietStage, type Stage } from "../../../keyline/test/support/stage.ts";
import type { StandaloneGateway, StreamExposure } from "../../src/index.ts";
import { EventSourceReader } from "../support/event-source.ts";
import { bearer, openGateway, request, signToken } from "../support/gateway.ts";

let stage: Stage;
let keyline: Keyline;
let gateway: StandaloneGateway;
let names = 0;

beforeAll(async () => {
  stage = await openQuietStage();
  keyline = stage.keyline();
  await keyline.migrate();
  gateway = await openGateway({
    keyline,
    streams: (name): StreamExposure => ({
      stream: streamOf(name),
      access: name.startsWith("private") ? "token" : "public",
      append: "public",
    }),
    limits: { requests: { max: 100_000, perMs: 60_000 }, connectionsPerVisitor: 5_000, sendBufferBytes: 131_072 },
  });
});
afterAll(async () => {
  await gateway.close();
  await stage.close();
});

const keyOf = (n: unknown): string => (typeof n === "number" ? (n % 100 === 0 ? "rare" : "usual") : "other");

const streams = new Map<string, Stream<unknown>>();

function streamOf(name: string): Stream<unknown> {
  const known = streams.get(name) ?? makeStream(name);
  streams.set(name, known);
  return known;
}

function makeStream(name: string): Stream<unknown> {
  if (name.startsWith("short")) return keyline.stream(name, { key: keyOf, retention: { maxLength: 5 } });
  if (name.startsWith("plain")) return keyline.stream(name);
  return keyline.stream(name, { key: keyOf });
}

/** A stream of this test's own. */
function open(prefix = "numbers"): { readonly stream: Stream<unknown>; readonly url: string } {
  const stream = streamOf(`${prefix}-${names++}`);
  return { stream, url: `${gateway.url}/v1/streams/${stream.name}/events` };
}

async function follow(url: string, headers: Record<string, string> = {}): Promise<EventSourceReader> {
  const reader = await EventSourceReader.open(url, { accept: "text/event-stream", ...headers });
  onTestFinished(() => reader.close());
  return reader;
}

const upTo = (count: number, from = 0): number[] => Array.from({ length: count - from }, (_, index) => from + index);

async function numbers(reader: EventSourceReader, count: number): Promise<unknown[]> {
  return (await reader.receive("entry", count)).map(({ data }) => data["data"]);
}

describe("following a stream", () => {
  test("brings what is appended from now on, with its id", async () => {
    const { stream, url } = open();
    await stream.append("before");
    const reader = await follow(url);
    const { id } = await stream.append("a\nb\r\n\r\nevent: forged");
    const [event] = await reader.receive("entry");
    expect(event).toEqual({ event: "entry", id, data: { id, data: "a\nb\r\n\r\nevent: forged", at: expect.any(Number), key: "other" } });
    expect(reader.response.headers).toMatchObject({ "content-type": "text/event-stream; charset=utf-8", "x-accel-buffering": "no" });
  });

  test.each(["empty", "not empty"])("tells where it begins, so that who got nothing yet misses nothing: %s", async (what) => {
    const { stream, url } = open();
    if (what !== "empty") await stream.append("before");
    const first = await follow(url);
    await expect.poll(() => first.lastEventId).not.toBe("");
    first.close();
    await first.ended;
    await stream.append("missed");
    expect(await numbers(await follow(url, { "last-event-id": first.lastEventId }), 1)).toEqual(["missed"]);
  });

  test("resumes behind Last-Event-ID, behind after, behind a time, and from the beginning, each entry once", async () => {
    const { stream, url } = open();
    const results = await stream.appendMany(upTo(700));
    const id = results[99]?.id ?? "";
    await new Promise((resolve) => setTimeout(resolve, 5));
    const time = new Date().toISOString();
    await new Promise((resolve) => setTimeout(resolve, 5));
    await stream.appendMany(upTo(1_400, 700));
    const readers = await Promise.all([
      follow(`${url}?after=-`, { "last-event-id": id }),
      follow(`${url}?after=${id}`),
      follow(`${url}?after=${time}`),
      follow(`${url}?after=-`),
    ]);
    await stream.append(1_400);
    const [byHeader, byQuery, byTime, all] = readers;
    for (const reader of [byHeader, byQuery]) expect(await numbers(reader, 1_301)).toEqual(upTo(1_401, 100));
    expect(await numbers(byTime, 701)).toEqual(upTo(1_401, 700));
    expect(await numbers(all, 1_401)).toEqual(upTo(1_401));
  });

  test("resumes among ids that somebody else made of microseconds, and behind the last there can be", async () => {
    const { stream, url } = open();
    const add = (id: string, data: string) => stage.valkey.xadd(`${stage.prefix}:{${stream.name}}:events`, id, "data", data);
    await add("1700000000000000-0", "0");
    const reader = await follow(`${url}?after=-`);
    expect(await numbers(reader, 1)).toEqual([0]);
    await stream.append(1);
    expect((await reader.receive("entry", 2)).map(({ id }) => id)).toEqual(["1700000000000000-0", "1700000000000000-1"]);
    expect(await numbers(await follow(url, { "last-event-id": "1700000000000000-0" }), 1)).toEqual([1]);
    expect(await numbers(await follow(`${url}?after=1700000000000`), 2)).toEqual([0, 1]);
    const last = "18446744073709551615-18446744073709551615";
    await add(last, "2");
    await reader.receive("entry", 3);
    expect(reader.lastEventId).toBe(last);
    const atEnd = await follow(url, { "last-event-id": last });
    await expect.poll(() => atEnd.lastEventId).toBe(last);
    expect(atEnd.events).toEqual([]);
  });

  test("announces what retention took, before what is left", async () => {
    const { stream, url } = open("short");
    const { id } = await stream.append(0);
    for (let n = 1; n <= 300; n++) await stream.append(n);
    await eventually("it is trimmed", async () => (await stage.valkey.xlen(`${stage.prefix}:{${stream.name}}:events`)) === 5);
    const reader = await follow(url, { "last-event-id": id });
    await reader.receive("entry");
    expect(reader.events[0]).toMatchObject({ event: "gap", data: { reason: "trimmed", after: id } });
    expect(reader.events[0]?.id).toBe(reader.events[0]?.data["until"]);
    expect(reader.events.filter(({ event }) => event === "gap")).toHaveLength(1);
  });

  test("announces what Valkey lost, also where nothing follows it", async () => {
    const { stream, url } = open();
    const { id } = await stream.append("lost");
    await stage.valkey.del(...(await stage.valkey.keys(`${stage.prefix}:{${stream.name}}:*`)));
    await stream.append("new");
    const reader = await follow(url, { "last-event-id": `${Number(id.split("-")[0]) + 60_000}-0` });
    expect((await reader.receive("gap"))[0]?.data).toMatchObject({ reason: "lost" });
  });

  test("announces the loss of a stream whose ids were an hour ahead, to who follows and who comes back, and brings what is there now", async () => {
    const { stream, url } = open();
    const key = `${stage.prefix}:{${stream.name}}:events`;
    const id = `${Date.now() + 3_600_000}-0`;
    await stage.valkey.xadd(key, id, "data", "1");
    const reader = await follow(`${url}?after=-`);
    expect(await numbers(reader, 1)).toEqual([1]);
    await stage.valkey.del(key);
    await stream.appendMany([2, 3]);
    expect(await numbers(reader, 3)).toEqual([1, 2, 3]);
    const late = await follow(url, { "last-event-id": id });
    expect(await numbers(late, 2)).toEqual([2, 3]);
    const gap = { event: "gap", id: "0-0", data: { reason: "lost", after: id, until: "0-0" } };
    expect(reader.events.map(({ event }) => event)).toEqual(["entry", "gap", "entry", "entry"]);
    expect([reader.events[1], late.events[0]]).toEqual([gap, gap]);
  });

  test("brings the entries of one key alone, and says how far it has come among the others", async () => {
    const { stream, url } = open();
    const results = await stream.appendMany(upTo(2_051, 1));
    const reader = await follow(`${url}?after=-&key=rare`);
    expect(await numbers(reader, 20)).toEqual(upTo(20).map((n) => (n + 1) * 100));
    await stream.appendMany(upTo(700, 1).map((n) => (n % 100 === 0 ? 1 : n)));
    await expect.poll(() => Number(reader.lastEventId.split("-")[0])).toBeGreaterThanOrEqual(Number(results.at(-1)?.id.split("-")[0]));
    expect(reader.events).toHaveLength(20);
  });

  test.each([
    ["an id that is none", "?after=abc", {}, "INVALID_ID"],
    ["an id with a line break", "?after=1-0%0Aevent:%20forged", {}, "INVALID_ID"],
    ["a key where entries have none", "?key=a", {}, "INVALID_OPTION"],
  ])("refuses %s", async (_, query, headers, code) => {
    const { url } = open("plain");
    const answer = await request(url + query, { headers: { accept: "text/event-stream", ...headers } });
    expect(answer).toMatchObject({ status: 400, body: { code } });
  });

  test("refuses a program's Last-Event-ID that is none; an EventSource, which cannot take it back, goes on from now behind a gap", async () => {
    const { stream, url } = open("plain");
    const { id } = await stream.append(1);
    const stale = { "last-event-id": "1-0, 2-0" };
    const answer = await request(url, { headers: { accept: "text/event-stream, application/problem+json", ...stale } });
    expect(answer).toMatchObject({ status: 400, body: { code: "INVALID_ID" } });
    const reader = await follow(url, stale);
    await stream.append(2);
    expect(await numbers(reader, 1)).toEqual([2]);
    expect(reader.events[0]).toMatchObject({ event: "gap", id, data: { reason: "lost", after: "-", until: id } });
  });

  test("takes the ticket of a token that may read it, again and again from the same visitor alone", async () => {
    const { stream, url } = open("private");
    const headers = bearer(await signToken({ streams: { read: ["private-*"] } }));
    const { body } = await request(`${gateway.url}/v1/tickets`, { method: "POST", headers });
    const address = `${url}?ticket=${String(body["ticket"])}`;
    expect((await request(address)).status).toBe(401);
    const reader = await follow(address);
    await stream.append(1);
    expect(await numbers(reader, 1)).toEqual([1]);
    const again = await follow(address, { "last-event-id": reader.lastEventId });
    await stream.append(2);
    expect(await numbers(again, 1)).toEqual([2]);
    await expect(follow(address, { "user-agent": "another" })).rejects.toThrow("status 401");
  });
});

describe("a stream of events ends", () => {
  const claims = { streams: { read: ["*"] } };

  test("when its token is revoked, or expires", async () => {
    const { url } = open("private");
    const revoked = await follow(url, bearer(await signToken({ sub: "mallory", ...claims })));
    const expired = await follow(url, bearer(await signToken({ sub: "ada", ...claims, exp: Math.floor(Date.now() / 1_000) + 2 })));
    await gateway.gateway.revoke({ sub: "mallory" });
    expect((await revoked.receive("end"))[0]?.data).toEqual({ code: "TOKEN_REVOKED" });
    expect((await expired.receive("end"))[0]?.data).toEqual({ code: "TOKEN_EXPIRED" });
    await Promise.all([revoked.ended, expired.ended]);
  });

  test("when the gateway drains, and goes on at another one without a hole", async () => {
    const { stream, url } = open();
    const streams = [{ stream, access: "public" }] as const;
    const [one, other] = [await openGateway({ keyline, streams }), await openGateway({ keyline, streams })];
    const addressAt = ({ url: at }: StandaloneGateway): string => url.replace(gateway.url, at);
    const before = await follow(addressAt(one));
    await stream.append(1);
    await before.receive("entry");
    await one.close();
    expect((await before.receive("end"))[0]?.data).toEqual({ code: "DRAINING" });
    await stream.append(2);
    const after = await follow(addressAt(other), { "last-event-id": before.lastEventId });
    await stream.append(3);
    expect(await numbers(after, 2)).toEqual([2, 3]);
    after.close();
    await other.close();
  });

  test("when Keyline is closed", async () => {
    const own = stage.keyline();
    const at = await openGateway({ keyline: own, streams: [{ stream: own.stream("closing"), access: "public" }] });
    onTestFinished(() => at.close());
    const reader = await follow(`${at.url}/v1/streams/closing/events`);
    await own.close();
    expect((await reader.receive("end"))[0]?.data).toEqual({ code: "CLOSED" });
    await reader.ended;
  });
});

describe("followers", () => {
  async function callsOf(commands: readonly string[]): Promise<number> {
    const stats = await stage.valkey.info("commandstats");
    return commands.reduce((sum, name) => sum + Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0), 0);
  }

  test("share their reads: a thousand cost Valkey what ten cost", async () => {
    const { stream, url } = open();
    const costOf = async (count: number): Promise<number> => {
      const readers = await Promise.all(upTo(count).map(() => follow(url)));
      await eventually("all are there", async () => (await metric("keyline_gateway_followers")) === count);
      await stream.append("first");
      await Promise.all(readers.map((reader) => reader.receive("entry")));
      const before = await callsOf(["xrange", "xread", "fcall", "fcall_ro", "evalsha", "eval", "evalsha_ro"]);
      for (let n = 0; n < 20; n++) {
        await stream.append(n);
        await Promise.all(readers.map((reader) => reader.receive("entry", n + 2)));
      }
      const cost = (await callsOf(["xrange", "xread", "fcall", "fcall_ro", "evalsha", "eval", "evalsha_ro"])) - before;
      for (const reader of readers) {
        expect(reader.events.map(({ data }) => data["data"])).toEqual(["first", ...upTo(20)]);
        reader.close();
      }
      await eventually("all have gone", async () => (await metric("keyline_gateway_followers")) === 0);
      return cost;
    };
    const [few, many] = [await costOf(10), await costOf(1_000)];
    console.log(`20 entries cost Valkey ${few} commands with 10 followers, ${many} with 1,000`);
    expect(few).toBeGreaterThan(0);
    expect(many).toBeLessThan(few * 1.5 + 20);
  }, 120_000);

  async function metric(name: string): Promise<number> {
    const lines = (await (await fetch(`${gateway.url}/metrics?${names++}`)).text()).split("\n");
    return Number(
      lines
        .find((line) => line.startsWith(name))
        ?.split(" ")
        .at(-1) ?? 0,
    );
  }

  test("and what they append are counted", async () => {
    const { url } = open();
    const before = await metric("keyline_gateway_appended_events_total");
    const reader = await follow(url);
    for (let n = 0; n < 2; n++) await request(url, { body: { data: n, idempotencyKey: "same" } });
    await reader.receive("entry");
    await eventually("one is counted", async () => (await metric("keyline_gateway_appended_events_total")) === before + 1);
    expect(await metric("keyline_gateway_followers")).toBeGreaterThanOrEqual(1);
    expect(await metric("keyline_gateway_entry_deliveries_total")).toBeGreaterThanOrEqual(1);
  });

  test("that read slowly get everything, and those that never read are cut", async () => {
    const { stream, url } = open();
    const text = "x".repeat(20_000);
    for (let n = 0; n < 20; n++) await stream.appendMany(Array.from({ length: 50 }, (_, index) => ({ n: n * 50 + index, text })));
    const slow = await follow(`${url}?after=-`);
    const deaf = await openDeaf(`${new URL(url).pathname}?after=-`);
    await slow.receive("entry");
    slow.response.pause();
    await new Promise((resolve) => setTimeout(resolve, 500));
    slow.response.resume();
    const events = await slow.receive("entry", 1_000);
    expect(events.map(({ data }) => (data["data"] as { n: number }).n)).toEqual(upTo(1_000));
    slow.close();
    await eventually(
      "the other one is cut",
      async () => (await metric('keyline_gateway_connections_ended_total{code="SLOW_RECEIVER"}')) === 1,
      60_000,
    );
    await eventually("it is gone", () => gateway.gateway.connections === 0);
    deaf.destroy();
  }, 90_000);

  /** A client that asks for a stream, and then reads nothing. */
  async function openDeaf(path: string): Promise<Socket> {
    const socket = connect(Number(new URL(gateway.url).port), "127.0.0.1");
    socket.on("error", () => undefined);
    socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n`);
    await new Promise((resolve) => socket.once("readable", resolve));
    return socket;
  }
});
