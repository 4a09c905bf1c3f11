import { get } from "node:http";
import type { Keyline } from "keyline";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { eventually, openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import type { GatewayLimits, StandaloneGateway } from "../../src/index.ts";
import { EventSourceReader } from "../support/event-source.ts";
import { openGateway, request } from "../support/gateway.ts";
import { startDocumentedProxy } from "../support/proxies.ts";
import { SocketReader } from "../support/socket.ts";

let stage: Stage;
let keyline: Keyline;
beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
});
afterAll(() => stage.close());

interface Options {
  readonly limits?: Partial<GatewayLimits>;
  readonly port?: number;
  readonly trustProxy?: readonly string[];
}

async function open(options: Options = {}): Promise<StandaloneGateway> {
  const gateway = await openGateway({
    keyline,
    channels: [{ channel: keyline.channel("news", { history: {} }), access: "public", publish: "public" }],
    trustProxy: ["127.0.0.1", "::1"],
    ...options,
  });
  onTestFinished(() => gateway.close());
  return gateway;
}

const path = "/v1/channels/news/messages";
const eventSource = { accept: "text/event-stream" };

// To be had from this system's archives, where it is not installed: that takes a while, once.
describe.each(["nginx", "caddy", "haproxy"] as const)("%s, with the block of the README", (program) => {
  test("brings event streams at once, and lets WebSockets through", async () => {
    const gateway = await open({ limits: { beatMs: 1_000 } });
    const { url } = await startDocumentedProxy(program, gateway.url);
    const reader = await EventSourceReader.open(`${url}${path}`, eventSource);
    const socket = await SocketReader.open(`${url}/v1/ws`);
    await socket.ask({ type: "subscribe", channel: "news" }, "subscribed");
    await socket.ask({ type: "publish", channel: "news", data: program, ref: 1 }, "published");
    expect((await reader.receive("message"))[0]?.data).toMatchObject({ data: program });
    expect((await socket.receive("message"))[0]).toMatchObject({ data: program });
    // The gateway's pings come back through it.
    await socket.receive("beat", 4);
    await eventually("a heartbeat came", () => reader.comments.length > 0);
    const again = await EventSourceReader.open(`${url}${path}?since=earliest`, { ...eventSource, "last-event-id": "" });
    expect((await again.receive("message"))[0]?.data).toMatchObject({ channel: "news" });
    for (const each of [reader, again, socket]) each.close();
    await eventually("the gateway has noticed that they went", () => gateway.gateway.connections === 0);
  }, 180_000);

  test("tells the gateway whose connection it is, whatever a client claims", async () => {
    const gateway = await open({ limits: { connectionsPerVisitor: 1 } });
    const { url } = await startDocumentedProxy(program, gateway.url);
    const first = await EventSourceReader.open(`${url}${path}`);
    const claims = { "x-forwarded-for": "198.51.100.7", forwarded: "for=198.51.100.7" };
    expect(await request(`${url}${path}`, { headers: claims })).toMatchObject({ status: 429, body: { code: "TOO_MANY_CONNECTIONS" } });
    // Another machine, as far as the proxy can see.
    const other = await statusFrom("127.0.0.2", `${url}${path}`);
    expect(other).toBe(200);
    first.close();
  });

  test("has an EventSource come back while the gateway is away, and tells everybody else", async () => {
    const gateway = await open();
    const { url } = await startDocumentedProxy(program, gateway.url);
    const before = await EventSourceReader.open(`${url}${path}`, eventSource);
    await gateway.close();
    await before.ended;
    const away = await EventSourceReader.open(`${url}${path}`, { ...eventSource, origin: "https://example.com" });
    await away.ended;
    expect(away.retryMs).toBe(2_000);
    expect(away.response.headers).toMatchObject({
      "content-type": expect.stringMatching(/^text\/event-stream/) as string,
      "access-control-allow-origin": "*",
    });
    expect((await request(`${url}${path}`)).status).toBeGreaterThanOrEqual(502);
    await keyline.channel("news").publish("between");
    await open({ port: Number(new URL(gateway.url).port) });
    await eventually("it is back", async () => (await request(`${url}/healthz`)).status === 200);
    const after = await EventSourceReader.open(`${url}${path}`, { ...eventSource, "last-event-id": before.lastEventId });
    expect((await after.receive("message"))[0]?.data).toMatchObject({ data: "between" });
    after.close();
  });
});

test("without trustProxy all clients of a proxy are one", async () => {
  const gateway = await open({ limits: { connectionsPerVisitor: 1 }, trustProxy: [] });
  const { url } = await startDocumentedProxy("nginx", gateway.url);
  const first = await EventSourceReader.open(`${url}${path}`);
  expect(await statusFrom("127.0.0.2", `${url}${path}`)).toBe(429);
  first.close();
});

/** The status that a client at another address of this machine gets. */
function statusFrom(localAddress: string, url: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asking = get(url, { localAddress, agent: false }, (response) => {
      resolve(response.statusCode);
      response.destroy();
    });
    asking.on("error", reject);
  });
}
