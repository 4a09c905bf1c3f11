import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { Keyline } from "keyline";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { openStage, gate, type Stage } from "../../../keyline/test/support/stage.ts";
import { startWireProxy, targetOf } from "../../../keyline/test/support/wire-proxy.ts";
import type { ChannelExposure, StandaloneGateway, StandaloneOptions } from "../../src/index.ts";
import { ConnectionLimit } from "../../src/limits/connection-limit.ts";
import { defaultLimits } from "../../src/limits/options.ts";
import { LiveConnections } from "../../src/live/connections.ts";
import { EventStream } from "../../src/live/event-stream.ts";
import { EventSourceReader } from "../support/event-source.ts";
import { bearer, openGateway, request, signToken } from "../support/gateway.ts";
import { SocketReader } from "../support/socket.ts";

let stage: Stage;
let keyline: Keyline;
beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
});
afterAll(() => stage.close());

async function open(options: Partial<StandaloneOptions>): Promise<StandaloneGateway> {
  const gateway = await openGateway({ keyline, ...options });
  onTestFinished(() => gateway.close());
  return gateway;
}

/** A Keyline whose Valkey answers late. */
async function openSlowly(ms: number): Promise<{ readonly slow: Keyline; begin(): void }> {
  const proxy = await startWireProxy({ target: targetOf(stage.valkeyUrl) });
  const slow = new Keyline({ valkey: `valkey://127.0.0.1:${proxy.port}`, prefix: stage.prefix });
  onTestFinished(async () => {
    proxy.passAll();
    await slow.close();
    await proxy.stop();
  });
  await slow.command("EXISTS", "warm");
  return { slow, begin: () => proxy.delay(ms) };
}

const streamOf = ({ url }: StandaloneGateway, name: string): string => `${url}/v1/channels/${name}/messages`;

describe("names that are the gateway's own", () => {
  test("are nobody else's, whatever the application finds and a token's pattern covers", async () => {
    const found: string[] = [];
    const channels = (name: string): ChannelExposure => {
      found.push(name);
      return { channel: keyline.channel(name, { history: {} }), access: "public", publish: "public", presence: true };
    };
    const gateway = await open({ channels });
    const name = "keyline:gateway:revocations";
    const headers = bearer(await signToken({ channels: { subscribe: ["*"], publish: ["*"] } }));
    expect(await request(streamOf(gateway, name), { headers })).toMatchObject({ status: 404, body: { code: "UNKNOWN_CHANNEL" } });
    expect(await request(streamOf(gateway, name), { headers, body: { data: { sub: "ada" } } })).toMatchObject({ status: 404 });
    expect((await request(`${gateway.url}/v1/live?channel=${name}`, { headers })).status).toBe(404);
    const reader = await SocketReader.open(`${gateway.url}/v1/ws`, headers);
    onTestFinished(() => reader.close());
    for (const frame of [{ type: "subscribe" }, { type: "publish", data: { sub: "ada" } }, { type: "watch" }, { type: "enter" }]) {
      expect(await reader.ask({ ...frame, channel: name }, "error")).toMatchObject({ code: "UNKNOWN_CHANNEL" });
    }
    expect(found).toEqual([]);
  });
});

describe("while a connection opens", () => {
  test("its token is revoked: it ends at once", async () => {
    const [reached, goOn] = [gate(), gate()];
    const channels = async (): Promise<ChannelExposure> => {
      reached.open();
      await goOn.opened;
      return { channel: keyline.channel("private"), access: "token" };
    };
    const gateway = await open({ channels });
    const token = await signToken({ jti: "opening", channels: { subscribe: ["private"] } });
    const opening = EventSourceReader.open(streamOf(gateway, "private"), bearer(token));
    await reached.opened;
    await gateway.gateway.revoke({ jti: "opening" });
    await expect.poll(async () => (await request(`${gateway.url}/v1/queues`, { headers: bearer(token) })).status).toBe(401);
    goOn.open();
    const reader = await opening;
    expect((await reader.receive("end"))[0]?.data).toEqual({ code: "TOKEN_REVOKED" });
    await reader.ended;
  });

  test("the gateway begins to drain: it is sent away like the others", async () => {
    const { slow, begin } = await openSlowly(500);
    const gateway = await open({ keyline: slow, channels: [{ channel: slow.channel("late"), access: "public" }] });
    begin();
    const opening = EventSourceReader.open(streamOf(gateway, "late"));
    // It has its place, and waits for Valkey to confirm the subscription.
    await new Promise((resolve) => setTimeout(resolve, 150));
    const drained = gateway.gateway.drain();
    const reader = await opening;
    expect((await reader.receive("end"))[0]?.data).toEqual({ code: "DRAINING" });
    expect(reader.retryMs).toBeGreaterThanOrEqual(500);
    await Promise.all([drained, reader.ended]);
  });

  test("the gateway is closed: it does not stay behind", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const accepted = once(server, "connection");
    const client = connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1", allowHalfOpen: true });
    const [socket] = (await accepted) as [Socket];
    const connections = new LiveConnections(new ConnectionLimit(1, 1), defaultLimits);
    const seat = connections.enter("somebody");
    connections.drain();
    connections.stop();
    connections.add(new EventStream(connections, { socket, visitor: { ip: "", token: undefined }, seat }));
    await once(socket, "close");
    expect(connections.size).toBe(0);
    client.destroy();
    server.close();
  });

  test("the client of a handshake goes: its place is free again", async () => {
    const { slow, begin } = await openSlowly(300);
    const gateway = await open({ keyline: slow, limits: { connectionsPerVisitor: 1 } });
    const headers = bearer(await signToken({ sub: "gone" }));
    const { body } = await request(`${gateway.url}/v1/tickets`, { method: "POST", headers });
    begin();
    const socket = connect(Number(new URL(gateway.url).port), "127.0.0.1");
    await once(socket, "connect");
    socket.write(
      `GET /v1/ws?ticket=${String(body["ticket"])} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.resetAndDestroy();
    await new Promise((resolve) => setTimeout(resolve, 800));
    (await SocketReader.open(`${gateway.url}/v1/ws`, headers)).close();
  });
});

test("a drain waits for answers, but not for one that never comes", async () => {
  const reached = gate();
  const channels = (): Promise<never> => {
    reached.open();
    return new Promise(() => undefined);
  };
  const gateway = await open({ channels });
  const reader = await SocketReader.open(`${gateway.url}/v1/ws`);
  reader.send({ type: "subscribe", channel: "stuck" });
  await reached.opened;
  const startedAt = performance.now();
  await gateway.gateway.drain();
  expect(await reader.closed).toBe(1012);
  expect(performance.now() - startedAt).toBeLessThan(6_000);
});
