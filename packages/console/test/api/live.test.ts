import type { Keyline } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openQuietStage, type Stage } from "../../../keyline/test/support/stage.ts";
import { liveChange, liveEnd, liveTail } from "../../src/api/live.ts";
import { openConsole, signToken, type ConsoleServer } from "../support/console-server.ts";
import { openLive } from "../support/live-events.ts";

let stage: Stage;
let keyline: Keyline;
let console: ConsoleServer;
let token: string;
beforeAll(async () => {
  stage = await openQuietStage();
  keyline = stage.keyline();
  await keyline.migrate();
  console = await openConsole({ keyline: stage.keyline(), redact: ["email"] });
  token = await signToken({ console: "viewer" });
});
afterAll(async () => {
  await console.close();
  await stage.close();
});

async function known(path: string): Promise<void> {
  await eventually("the console knows it", async () => (await console.get(`api/${path}`)).status === 200);
}

test("tells what changes of the topics that were asked for, and what comes, without what is hidden", async () => {
  const queue = keyline.queue("followed-jobs");
  const stream = keyline.stream("followed-events");
  const channel = keyline.channel("followed-news");
  await channel.list();
  const { id } = await queue.add({ email: "ann@example.com" });
  await stream.append({ n: 0 });
  for (const path of ["queues/followed-jobs", "streams/followed-events", "channels/followed-news"]) await known(path);
  const topics = [
    "overview",
    "health",
    "tasks",
    "queue:followed-jobs",
    `job:followed-jobs/${id}`,
    "events:followed-jobs",
    "channel:followed-news",
    "stream:followed-events",
  ];
  const live = await openLive(console.url, topics.join(","), token);
  for (const topic of topics.filter((topic) => !topic.startsWith("events"))) {
    const event = await live.find(`${topic} came`, ({ type, data }) => type === "change" && data.topic === topic);
    liveChange.parse(event.data);
  }
  await stream.append({ n: 1, email: "ann@example.com" });
  await channel.publish({ n: 2, email: "ann@example.com" });
  const worker = queue.work(() => undefined);
  const changed = await live.find(
    "the job's end came",
    ({ data }) => data.kind === "job" && data.data?.state !== "waiting" && data.data?.state !== "running",
  );
  expect(changed.data.data === null || changed.data.data?.state === "completed").toBe(true);
  await worker.stop();
  await queue.add(2);
  const told = { stream: { n: 1, email: "[hidden]" }, channel: { n: 2, email: "[hidden]" } };
  for (const [kind, data] of Object.entries(told)) {
    const event = await live.find(`the tail of the ${kind} came`, ({ type, data }) => type === "tail" && data.kind === kind);
    expect(liveTail.parse(event.data).rows).toMatchObject([{ payload: { data } }]);
  }
  const event = await live.find("an event came", ({ type, data }) => type === "tail" && data.kind === "events");
  liveTail.parse(event.data);
  expect(JSON.stringify(live.events)).not.toContain("ann@example.com");
  const tails = ["events:followed-jobs", "channel:followed-news", "stream:followed-events"];
  await eventually("an id says of each tail up to where it was told", () => {
    const places = new URLSearchParams(live.lastEventId());
    return tails.every((topic) => places.has(topic)) && [...places].length === tails.length;
  });
  live.close();
});

test("reads a topic once for all who look, and nothing while nobody looks", async () => {
  await keyline.queue("counted").add(1);
  await known("queues/counted");
  const lives = await Promise.all([1, 2, 3, 4, 5].map(() => openLive(console.url, "queue:counted", token)));
  await Promise.all(lives.map((live) => live.find("the queue came", ({ type }) => type === "change")));
  const asked = async (): Promise<number> => {
    const stats = await stage.valkey.info("commandstats");
    return [...stats.matchAll(/cmdstat_(?:evalsha|eval|fcall)[^:]*:calls=(\d+)/g)].reduce((sum, [, calls]) => sum + Number(calls), 0);
  };
  const from = { asked: await asked(), at: performance.now() };
  await eventually("some seconds have passed", () => performance.now() - from.at > 4_000);
  const seconds = Math.ceil((performance.now() - from.at) / 1_000);
  const many = (await asked()) - from.asked;
  // Each reading is a handful of scripts; for five viewers of their own it would be five times as many.
  expect(many).toBeGreaterThan(0);
  expect(many / (seconds + 1)).toBeLessThan(16);
  for (const live of lives) live.close();
  await eventually("nothing is asked any more", async () => {
    const before = await asked();
    const at = performance.now();
    await eventually("two seconds have passed", () => performance.now() - at > 2_200);
    return (await asked()) === before;
  });
});

test("ends when the token does, and says so", async () => {
  const short = await signToken({ console: "viewer", exp: Math.floor(Date.now() / 1_000) + 3 });
  const live = await openLive(console.url, "health", short);
  await live.find("it began", ({ type }) => type === "change");
  const end = await live.find("it ended", ({ type }) => type === "end");
  expect(liveEnd.parse(end.data)).toEqual({ code: "TOKEN_EXPIRED" });
  await eventually("nothing more comes", live.isOver);
  await expect(openLive(console.url, "health", short)).rejects.toThrow("401");
});

test("refuses topics that there are not, and too many of them", async () => {
  for (const topics of ["nothing", "queue:unknown", "job:unknown/1", "queue", "job:x", "overview,stream:unknown"]) {
    await expect(openLive(console.url, topics, token), topics).rejects.toThrow("404");
  }
  for (const topics of ["", ",", Array.from({ length: 17 }, (_, index) => `queue:q${index}`).join(",")]) {
    await expect(openLive(console.url, topics, token), topics).rejects.toThrow("400");
  }
});

test("gives who reads slowly the newest of a topic, and how many rows it has missed", async () => {
  const channel = keyline.channel("fast");
  await channel.list();
  await known("channels/fast");
  const live = await openLive(console.url, "channel:fast", token);
  await live.find("it began", ({ type }) => type === "change");
  const count = 700;
  for (let n = 0; n < count; n++) await channel.publish({ n });
  await eventually("the last one came", () =>
    live.events.some(({ type, data }) => type === "tail" && data.rows?.at(-1)?.payload?.data.n === count - 1),
  );
  const tails = live.events.filter(({ type }) => type === "tail").map(({ data }) => liveTail.parse(data));
  expect(tails.reduce((sum, { rows, skipped }) => sum + rows.length + (skipped ?? 0), 0)).toBe(count);
  for (const { rows } of tails) expect(rows.length).toBeLessThanOrEqual(100);
  live.close();
});
