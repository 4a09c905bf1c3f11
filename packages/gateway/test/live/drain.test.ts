import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Keyline } from "keyline";
import { openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import { EventSourceReader } from "../support/event-source.ts";
import { openGateway, request } from "../support/gateway.ts";
import { SocketReader } from "../support/socket.ts";

let stage: Stage;
let keyline: Keyline;
beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  keyline.channel("news", { history: {} });
});
afterAll(() => stage.close());

const open = () =>
  openGateway({ keyline, channels: [{ channel: keyline.channel("news"), access: "public" }], limits: { connectionsPerVisitor: 1_000 } });

test("a gateway that drains sends its clients away at different times, and takes no new ones", async () => {
  const gateway = await open();
  const readers = await Promise.all(Array.from({ length: 20 }, () => EventSourceReader.open(`${gateway.url}/v1/channels/news/messages`)));
  const sockets = await Promise.all(Array.from({ length: 20 }, () => SocketReader.open(`${gateway.url}/v1/ws`)));
  await gateway.gateway.drain();
  const retries = readers.map(({ retryMs }) => retryMs);
  for (const reader of readers) expect((await reader.receive("end"))[0]?.data).toEqual({ code: "DRAINING" });
  for (const socket of sockets) {
    retries.push(Number((await socket.receive("draining"))[0]?.["retryMs"]));
    expect(await socket.closed).toBe(1012);
  }
  expect(Math.min(...retries)).toBeGreaterThanOrEqual(500);
  expect(new Set(retries).size).toBeGreaterThan(20);
  const refused = await request(`${gateway.url}/v1/channels/news/messages`);
  expect(refused).toMatchObject({ status: 503, body: { code: "DRAINING" } });
  expect(refused.headers.get("retry-after")).toBe("1");
  await expect(SocketReader.open(`${gateway.url}/v1/ws`)).rejects.toThrow("status 503");
  expect(await request(`${gateway.url}/readyz`)).toMatchObject({ status: 503, body: { status: "draining" } });
  expect((await request(`${gateway.url}/healthz`)).status).toBe(200);
  await gateway.close();
});

test("what a client asked before the drain is still answered", async () => {
  const gateway = await openGateway({ keyline, channels: [{ channel: keyline.channel("news"), access: "public", publish: "public" }] });
  const socket = await SocketReader.open(`${gateway.url}/v1/ws`);
  await socket.receive("hello");
  for (let ref = 0; ref < 20; ref++) socket.send({ type: "publish", channel: "news", data: ref, ref });
  await socket.receive("published");
  const closed = gateway.close();
  expect(await socket.closed).toBe(1012);
  await closed;
  const published = socket.frames.filter(({ type }) => type === "published").map((frame) => frame["ref"]);
  expect(published).toEqual(Array.from({ length: published.length }, (_, ref) => ref));
  const { messages } = await keyline.channel("news").history();
  expect(messages.map(({ data }) => data)).toEqual(published);
});

test("a client that goes elsewhere resumes there without a hole", async () => {
  const [one, other] = [await open(), await open()];
  const before = await EventSourceReader.open(`${one.url}/v1/channels/news/messages`);
  await keyline.channel("news").publish(1);
  await before.receive("message");
  await one.close();
  await before.ended;
  await keyline.channel("news").publish(2);
  const after = await EventSourceReader.open(`${other.url}/v1/channels/news/messages`, { "last-event-id": before.lastEventId });
  await keyline.channel("news").publish(3);
  expect((await after.receive("message", 2)).map(({ data }) => data["data"])).toEqual([2, 3]);
  after.close();
  await other.close();
});

test("a standalone gateway drains at SIGTERM, and its process ends by itself", async () => {
  const script = fileURLToPath(new URL("../support/standalone.ts", import.meta.url));
  const settings = JSON.stringify({ valkey: stage.valkeyUrl, prefix: stage.prefix });
  const child = spawn(process.execPath, ["--conditions=development", script, settings], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const url = await new Promise<string>((resolve) => createInterface({ input: child.stdout }).once("line", resolve));
  const reader = await EventSourceReader.open(`${url}/v1/channels/news/messages`);
  const socket = await SocketReader.open(`${url}/v1/ws`);
  child.kill("SIGTERM");
  expect((await reader.receive("end"))[0]?.data).toEqual({ code: "DRAINING" });
  expect(await socket.closed).toBe(1012);
  expect(await exited).toBe(0);
});
