import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Keyline } from "keyline";
import { openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import type { StandaloneGateway } from "../../src/index.ts";
import { EventSourceReader } from "../support/event-source.ts";
import { bearer, openGateway, request, signToken } from "../support/gateway.ts";

let stage: Stage;
let keyline: Keyline;
let gateway: StandaloneGateway;

beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  const kept = (name: string, size = 1_000) => keyline.channel<object>(name, { history: { size } });
  const exposures = [
    { channel: kept("news"), access: "public" },
    { channel: kept("sports"), access: "public" },
    { channel: kept("short", 3), access: "public" },
    { channel: keyline.channel<object>("plain"), access: "public" },
    { channel: kept("private"), access: "token" },
    { channel: kept("long"), access: "public" },
  ] as const;
  gateway = await openGateway({ keyline, channels: exposures, limits: { requests: { max: 100_000, perMs: 60_000 } } });
});
afterAll(async () => {
  await gateway.close();
  await stage.close();
});

const urlOf = (channel: string): string => `${gateway.url}/v1/channels/${channel}/messages`;
const publish = (channel: string, data: object) => keyline.channel<object>(channel).publish(data);

describe("one channel", () => {
  test("brings what is published, with its cursor as the id", async () => {
    const reader = await EventSourceReader.open(urlOf("news"));
    const { id, cursor } = await publish("news", { text: "a\nb\r\n\r\nevent: forged" });
    const [event] = await reader.receive("message");
    expect(event).toEqual({
      event: "message",
      id: cursor,
      data: { id, channel: "news", data: { text: "a\nb\r\n\r\nevent: forged" }, at: expect.any(Number) },
    });
    expect(reader.response.headers).toMatchObject({
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
      "x-content-type-options": "nosniff",
    });
    expect(reader.retryMs).toBeGreaterThanOrEqual(1_000);
    reader.close();
  });

  test("tells where it begins, so that a client that got nothing yet misses nothing", async () => {
    const first = await EventSourceReader.open(urlOf("news"));
    await expect.poll(() => first.lastEventId).not.toBe("");
    first.close();
    await first.ended;
    await publish("news", { n: "missed" });
    const second = await EventSourceReader.open(urlOf("news"), { "last-event-id": first.lastEventId });
    expect((await second.receive("message"))[0]?.data["data"]).toEqual({ n: "missed" });
    second.close();
  });

  test("resumes from Last-Event-ID and from since, each message once, and goes on live", async () => {
    const { cursor } = await publish("news", { n: 0 });
    for (let n = 1; n <= 20; n++) await publish("news", { n });
    const byHeader = await EventSourceReader.open(`${urlOf("news")}?since=earliest`, { "last-event-id": cursor ?? "" });
    const byQuery = await EventSourceReader.open(`${urlOf("news")}?since=${cursor}`);
    await publish("news", { n: 21 });
    for (const reader of [byHeader, byQuery]) {
      const events = await reader.receive("message", 21);
      expect(events.map(({ data }) => data["data"])).toEqual(Array.from({ length: 21 }, (_, n) => ({ n: n + 1 })));
      reader.close();
    }
  });

  test("brings everything that is kept after since=earliest", async () => {
    for (let n = 0; n < 3; n++) await publish("sports", { n });
    const reader = await EventSourceReader.open(`${urlOf("sports")}?since=earliest`);
    expect((await reader.receive("message", 3)).map(({ data }) => data["data"])).toEqual([{ n: 0 }, { n: 1 }, { n: 2 }]);
    reader.close();
  });

  test("announces a gap before what is left, when the history no longer reaches back", async () => {
    const { cursor } = await publish("short", { n: 0 });
    for (let n = 1; n <= 8; n++) await publish("short", { n });
    const reader = await EventSourceReader.open(urlOf("short"), { "last-event-id": cursor ?? "" });
    await reader.receive("message", 3);
    expect(reader.events[0]).toMatchObject({ event: "gap", data: { channel: "short", reason: "trimmed", missed: 5 } });
    expect(reader.events.slice(1).map(({ data }) => data["data"])).toEqual([{ n: 6 }, { n: 7 }, { n: 8 }]);
    reader.close();
  });

  test("misses nothing and repeats nothing when clients resume anywhere while messages come", async () => {
    const cursors: string[] = [];
    const total = 300;
    const readers: { readonly reader: EventSourceReader; readonly from: number }[] = [];
    for (let n = 0; n < total; n++) {
      const { cursor } = await publish("long", { n });
      cursors.push(cursor ?? "");
      if (n % 10 !== 5) continue;
      const from = Math.floor((n * 7) % (n + 1));
      void EventSourceReader.open(urlOf("long"), { "last-event-id": cursors[from] ?? "" }).then((reader) => readers.push({ reader, from }));
    }
    await expect.poll(() => readers.length).toBe(30);
    for (const { reader, from } of readers) {
      const events = await reader.receive("message", total - from - 1);
      expect(events.map(({ data }) => (data["data"] as { n: number }).n)).toEqual(
        Array.from({ length: total - from - 1 }, (_, n) => from + 1 + n),
      );
      reader.close();
    }
  });

  test("brings messages of a channel without history, without ids", async () => {
    const reader = await EventSourceReader.open(urlOf("plain"));
    await publish("plain", { n: 1 });
    expect((await reader.receive("message"))[0]).toMatchObject({ id: "", data: { data: { n: 1 } } });
    reader.close();
  });

  test("carries an id from a foreign publisher as data, where it can forge nothing", async () => {
    const reader = await EventSourceReader.open(urlOf("plain"));
    const id = "x\r\n\r\nevent: end\ndata: {}";
    await stage.valkey.publish(`${stage.prefix}:{plain}:live`, JSON.stringify({ id, data: "foreign" }));
    const [event] = await reader.receive("message");
    expect(event?.data).toMatchObject({ id, data: "foreign" });
    expect(reader.events).toHaveLength(1);
    reader.close();
  });
});

describe("several channels", () => {
  const live = (): string => `${gateway.url}/v1/live?channel=news&channel=plain&channel=sports`;

  test("come in one stream, whose id holds the place in each of them", async () => {
    const reader = await EventSourceReader.open(live());
    const news = await publish("news", { from: "news" });
    await publish("plain", { from: "plain" });
    const sports = await publish("sports", { from: "sports" });
    const events = await reader.receive("message", 3);
    expect(new Set(events.map(({ data }) => data["channel"]))).toEqual(new Set(["news", "plain", "sports"]));
    expect(reader.lastEventId).toBe(`${news.cursor},,${sports.cursor}`);
    reader.close();
  });

  test("resume from that id, each at its own place, and join those who are there", async () => {
    const there = await EventSourceReader.open(live());
    await expect.poll(() => there.lastEventId).not.toBe("");
    const place = there.lastEventId;
    await publish("news", { n: 1 });
    await publish("sports", { n: 2 });
    await there.receive("message", 2);
    const back = await EventSourceReader.open(live(), { "last-event-id": place });
    await back.receive("message", 2);
    await publish("plain", { n: 3 });
    await publish("sports", { n: 4 });
    const events = await back.receive("message", 4);
    expect(events.map(({ data }) => (data["data"] as { n: number }).n).toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4]);
    await there.receive("message", 4);
    expect(back.lastEventId).toBe(there.lastEventId);
    there.close();
    back.close();
  });

  test.each(["a,b", "a,b,c,d", "a", "1.x,,"])("refuse the id %s, which is none of theirs", async (id) => {
    expect(await request(live(), { headers: { "last-event-id": id } })).toMatchObject({ status: 400, body: { code: "INVALID_CURSOR" } });
  });
});

describe("what is refused, with its reason", () => {
  test.each([
    ["a channel that nobody declared", "nowhere", {}, 401, "TOKEN_MISSING"],
    ["what is no name", "a%7Bb%7D", {}, 400, "INVALID_NAME"],
    ["a name with a line break", "a%0D%0Ab", {}, 400, "INVALID_NAME"],
    ["a private channel without a token", "private", {}, 401, "TOKEN_MISSING"],
    ["a malformed cursor", "news?since=nonsense", {}, 400, "INVALID_CURSOR"],
    ["a cursor with line breaks", "news?since=1%0D%0Aevent:%20x", {}, 400, "INVALID_CURSOR"],
    ["a Last-Event-ID that is none", "news", { "last-event-id": "x: y" }, 400, "INVALID_CURSOR"],
    ["a cursor for a channel without history", "plain?since=0.00000000.0.0-0", {}, 400, "INVALID_OPTION"],
  ])("%s", async (_, path, headers, status, code) => {
    const [name = "", query = ""] = path.split("?");
    const answer = await request(`${urlOf(name)}${query && `?${query}`}`, { headers });
    expect(answer).toMatchObject({ status, body: { status, code } });
    expect(answer.headers.get("content-type")).toMatch(/^application\/problem\+json/);
  });

  test("a private channel to a token that does not list it", async () => {
    const token = await signToken({ channels: { subscribe: ["news"] } });
    expect(await request(urlOf("private"), { headers: bearer(token) })).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });
  });

  test("nothing of a refused stream stays behind", async () => {
    await expect.poll(() => gateway.gateway.connections).toBe(0);
  });
});

test("a token that lists a private channel, or a pattern of it, reads it", async () => {
  for (const name of ["private", "priv*", "*"]) {
    const token = await signToken({ channels: { subscribe: [name] } });
    const reader = await EventSourceReader.open(urlOf("private"), bearer(token));
    await publish("private", { name });
    expect((await reader.receive("message"))[0]?.data["data"]).toEqual({ name });
    reader.close();
  }
});
