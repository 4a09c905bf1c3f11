import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Keyline } from "keyline";
import { gate, openStage, type Stage } from "../../../keyline/test/support/stage.ts";
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

test("a gateway that closes does not wait for connections on which nothing was asked, or was asked and answered", async () => {
  const gateway = await open();
  const port = Number(new URL(gateway.url).port);
  const silent = await Promise.all(Array.from({ length: 3 }, () => connectTo(port)));
  const kept = await connectTo(port);
  kept.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await once(kept, "readable");
  const begun = performance.now();
  await gateway.close();
  expect(performance.now() - begun).toBeLessThan(2_000);
  for (const socket of [...silent, kept]) if (!socket.destroyed) await once(socket.resume(), "close");
});

test("a gateway that closes answers what was asked before, but does not wait for it for ever", async () => {
  const [bothAsked, answer] = [gate(), gate()];
  let asked = 0;
  const channels = async (name: string): Promise<undefined> => {
    if (++asked === 2) bothAsked.open();
    await (name === "late" ? answer.opened : new Promise(() => undefined));
  };
  const gateway = await openGateway({ keyline, channels });
  const port = Number(new URL(gateway.url).port);
  const half = await connectTo(port);
  half.write("GET /healthz HTTP/1.1\r\n");
  const never = request(`${gateway.url}/v1/channels/never/messages`, { body: { data: 1 } }).catch(() => "cut");
  const late = request(`${gateway.url}/v1/channels/late/messages`, { body: { data: 1 } });
  await bothAsked.opened;
  const begun = performance.now();
  const closed = gateway.close();
  answer.open();
  expect((await late).status).toBe(401);
  await closed;
  expect(await never).toBe("cut");
  expect(performance.now() - begun).toBeLessThan(6_000);
});

/** A connection on which nothing is asked yet. */
async function connectTo(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

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
