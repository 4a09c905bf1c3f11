import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { fastify, type FastifyInstance } from "fastify";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Keyline } from "keyline";
import { openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import { gateway, type GatewayLimits } from "../../src/index.ts";
import { EventSourceReader } from "../support/event-source.ts";
import { openGateway, request, secret } from "../support/gateway.ts";
import { selfSigned } from "../support/self-signed.ts";
import { SocketReader } from "../support/socket.ts";

let stage: Stage;
let keyline: Keyline;
beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
});
// The tests run side by side, because they wait.
const ends: (() => unknown)[] = [];
const atEnd = (end: () => unknown): void => void ends.push(end);
afterAll(async () => {
  for (const end of ends.toReversed()) await end();
  await stage.close();
});

const parts = () => ({
  keyline,
  access: { secret },
  channels: [{ channel: keyline.channel("news"), access: "public" as const, publish: "public" as const }],
  streams: [{ stream: keyline.stream<string>("large"), access: "public" as const }],
});

/** Two ways to have a gateway: with a server of its own, and in that of an application, which sets no limits of time. */
const servers: Record<string, (limits: Partial<GatewayLimits>) => Promise<string>> = {
  "a server of its own": async (limits) => {
    const started = await openGateway({ ...parts(), limits });
    atEnd(() => started.close());
    return started.url;
  },
  "the server of an application": async (limits) => {
    const app = await openApplication(limits, {});
    return app.listen({ port: 0, host: "127.0.0.1" });
  },
};

async function openApplication(limits: Partial<GatewayLimits>, options: object): Promise<FastifyInstance> {
  const app = fastify({ forceCloseConnections: true, ...options });
  atEnd(() => app.close());
  app.get("/own", () => "own");
  app.post("/own", () => "own");
  await app.register(gateway, { ...parts(), limits });
  return app;
}

function open(url: string, text = ""): Socket {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  atEnd(() => void socket.destroy());
  socket.on("error", () => undefined);
  if (text !== "") socket.write(text);
  return socket;
}

/** What came until the connection was closed. */
async function whenClosed(socket: Socket): Promise<string> {
  let text = "";
  socket.on("data", (data) => (text += data.toString()));
  if (!socket.destroyed) await once(socket, "close");
  return text;
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
const half = "GET /healthz HTTP/1.1\r\nHost: local";

async function answerOf(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  const [data] = (await once(socket, "data")) as [Buffer];
  return data.toString();
}

describe.concurrent.each(Object.entries(servers))("in %s", (_, start) => {
  test("connections that ask nothing, or half of it, are closed after ten seconds, also behind a request that was whole", async () => {
    const url = await start({});
    const [silent, begun, again] = [open(url), open(url, half), open(url)];
    expect(await answerOf(again, get("/healthz"))).toMatch(/^HTTP\/1.1 200/);
    again.write(half);
    const ends = await Promise.all([silent, begun, again].map(whenClosed));
    expect(ends).toEqual(["", expect.stringMatching(/^HTTP\/1.1 408/), expect.stringMatching(/^HTTP\/1.1 408/)]);
  });

  test("one address has so many of them, and those that are idle make room", async () => {
    const url = await start({ waitingPerAddress: 5 });
    const idle = open(url);
    expect(await answerOf(idle, get("/healthz"))).toMatch(/^HTTP\/1.1 200/);
    const halves = Array.from({ length: 4 }, () => open(url, half));
    await Promise.all(halves.map((socket) => once(socket, "connect")));
    const last = open(url);
    // For it, the idle one went.
    expect(await answerOf(last, get("/healthz"))).toMatch(/^HTTP\/1.1 200/);
    await whenClosed(idle);
    last.write(half);
    await expect.poll(() => request(`${url}/healthz`).catch(() => "closed")).toBe("closed");
    expect(halves.every((socket) => !socket.destroyed)).toBe(true);
    halves[0]?.destroy();
    await expect.poll(async () => (await request(`${url}/healthz`).catch(() => undefined))?.status).toBe(200);
  });

  test("live connections are not among them", async () => {
    const url = await start({ waitingPerAddress: 3 });
    for (let n = 0; n < 5; n++) {
      const [events, socket] = [await EventSourceReader.open(`${url}/v1/channels/news/messages`), await SocketReader.open(`${url}/v1/ws`)];
      atEnd(() => {
        events.close();
        socket.close();
      });
    }
    expect((await request(`${url}/healthz`)).status).toBe(200);
  });

  test("a body has thirty seconds", { timeout: 90_000 }, async () => {
    const url = await start({});
    const head =
      "POST /v1/channels/news/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{";
    await whenClosed(open(url, head));
  });
});

test.concurrent("an answer that is not taken is given up after thirty seconds", { timeout: 90_000 }, async () => {
  const app = await openApplication({}, {});
  const url = await app.listen({ port: 0, host: "127.0.0.1" });
  const stream = keyline.stream<string>("large");
  for (let n = 0; n < 5; n++) await stream.append("x".repeat(900_000));
  // Without a listener for what comes, it takes what the kernel has room for.
  open(url, get("/v1/streams/large/events?limit=5").repeat(8));
  const count = () => new Promise<number>((resolve) => app.server.getConnections((_error, connections) => resolve(connections)));
  await expect.poll(count).toBe(1);
  await expect.poll(count, { timeout: 60_000, interval: 500 }).toBe(0);
});

test.concurrent("who a trusted proxy speaks for is counted one by one, and the proxy itself is not", async () => {
  const app = await openApplication({ waitingPerAddress: 3 }, { trustProxy: ["127.0.0.1"] });
  const url = await app.listen({ port: 0, host: "127.0.0.1" });
  await request(`${url}/healthz`, { headers: { "x-forwarded-for": "192.0.2.1" } });
  const sockets = Array.from({ length: 10 }, () => open(url, half));
  await Promise.all(sockets.map((socket) => once(socket, "connect")));
  expect((await request(`${url}/healthz`)).status).toBe(200);
  // Who is not trusted may say what it likes.
  const plain = await openApplication({ waitingPerAddress: 3 }, {});
  const other = await plain.listen({ port: 0, host: "127.0.0.1" });
  await request(`${other}/healthz`, { headers: { "x-forwarded-for": "192.0.2.1", connection: "close" } });
  const more = Array.from({ length: 3 }, () => open(other, half));
  await Promise.all(more.map((socket) => once(socket, "connect")));
  await expect.poll(() => request(`${other}/healthz`).catch(() => "closed")).toBe("closed");
});

test.concurrent("an application's own routes keep their own patience", { timeout: 90_000 }, async () => {
  const app = await openApplication({}, {});
  const url = await app.listen({ port: 0, host: "127.0.0.1" });
  const slow = open(url, "POST /own HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[");
  const gone = open(
    url,
    "POST /v1/channels/news/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[",
  );
  await whenClosed(gone);
  expect(await answerOf(slow, "]")).toMatch(/^HTTP\/1.1 200/);
});

test.concurrent("with TLS it is the same", async () => {
  const app = await openApplication({ waitingPerAddress: 4 }, { https: selfSigned });
  const url = await app.listen({ port: 0, host: "127.0.0.1" });
  const port = Number(new URL(url).port);
  const silent = open(url);
  const secure = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false });
  secure.on("error", () => undefined);
  atEnd(() => void secure.destroy());
  expect(await answerOf(secure, get("/healthz"))).toMatch(/^HTTP\/1.1 200/);
  secure.write(half);
  await Promise.all([whenClosed(silent), whenClosed(secure)]);
});
