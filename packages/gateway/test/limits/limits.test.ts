import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Keyline } from "keyline";
import { openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import type { StandaloneGateway, StandaloneOptions } from "../../src/index.ts";
import { RequestLimit } from "../../src/limits/request-limit.ts";
import { EventSourceReader } from "../support/event-source.ts";
import { bearer, openGateway, request, signToken } from "../support/gateway.ts";
import { SocketReader } from "../support/socket.ts";

let stage: Stage;
let keyline: Keyline;
const opened: StandaloneGateway[] = [];
beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  keyline.channel("news", { history: {} });
});
afterAll(async () => {
  for (const gateway of opened) await gateway.close();
  await stage.close();
});

async function open(options: Partial<StandaloneOptions>): Promise<StandaloneGateway> {
  const gateway = await openGateway({ keyline, channels: [{ channel: keyline.channel("news"), access: "public" }], ...options });
  opened.push(gateway);
  return gateway;
}

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const statusesOf = async (count: number, ask: () => Promise<{ status: number }>): Promise<number[]> => {
  const statuses: number[] = [];
  for (let n = 0; n < count; n++) statuses.push((await ask()).status);
  return statuses;
};

describe("requests", () => {
  const limits = { requests: { max: 5, perMs: 3_600_000 } };

  test("of one subject are counted over all gateways", async () => {
    const [one, other] = [await open({ limits }), await open({ limits })];
    const headers = bearer(await signToken({ sub: "busy" }));
    expect(await statusesOf(3, () => request(`${one.url}/v1/queues`, { headers }))).toEqual([200, 200, 200]);
    expect(await statusesOf(4, () => request(`${other.url}/v1/queues`, { headers }))).toEqual([200, 200, 429, 429]);
    const refused = await request(`${one.url}/v1/queues`, { headers });
    expect(refused).toMatchObject({ status: 429, body: { code: "RATE_LIMITED" } });
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    expect((await request(`${one.url}/v1/queues`, { headers: bearer(await signToken({ sub: "calm" })) })).status).toBe(200);
  });

  test("without a token are counted by address, which a client cannot choose", async () => {
    const gateway = await open({ limits, keyline: stage.keyline({ prefix: `${stage.prefix}.address` }), channels: [] });
    let n = 0;
    const ask = () => request(`${gateway.url}/v1/queues`, { headers: { "x-forwarded-for": `10.0.0.${n++}` } });
    expect(await statusesOf(7, ask)).toEqual([200, 200, 200, 200, 200, 429, 429]);
  });

  test("behind a proxy that is trusted are counted by the address that it says", async () => {
    const gateway = await open({
      limits,
      trustProxy: ["127.0.0.1"],
      keyline: stage.keyline({ prefix: `${stage.prefix}.proxy` }),
      channels: [],
    });
    let n = 0;
    const ask = () => request(`${gateway.url}/v1/queues`, { headers: { "x-forwarded-for": `10.0.0.${n++}` } });
    expect(await statusesOf(7, ask)).toEqual([200, 200, 200, 200, 200, 200, 200]);
  });

  test("with tokens that are guessed are counted too", async () => {
    const gateway = await open({ limits, keyline: stage.keyline({ prefix: `${stage.prefix}.guess` }), channels: [] });
    const ask = () => request(`${gateway.url}/v1/queues`, { headers: bearer("nonsense") });
    expect(await statusesOf(7, ask)).toEqual([401, 401, 401, 401, 401, 429, 429]);
  });

  test("with tickets that are guessed are counted, and beyond the limit no ticket is looked for", async () => {
    const guessed = stage.keyline({ prefix: `${stage.prefix}.tickets` });
    const gateway = await open({ limits, keyline: guessed, channels: [{ channel: guessed.channel("news"), access: "public" }] });
    const headers = bearer(await signToken());
    const { body } = await request(`${gateway.url}/v1/tickets`, { method: "POST", headers });
    const ask = (ticket: string) => request(`${gateway.url}/v1/channels/news/messages?ticket=${ticket}`);
    expect(await statusesOf(7, () => ask("a".repeat(43)))).toEqual([401, 401, 401, 401, 401, 429, 429]);
    expect(await ask(String(body["ticket"]))).toMatchObject({ status: 429, body: { code: "RATE_LIMITED" } });
    expect(await stage.valkey.keys(`${guessed.prefix}:gateway:ticket:*`)).toHaveLength(1);
    // Whoever has a token, or needs none, is another one.
    expect((await request(`${gateway.url}/v1/queues`)).status).toBe(200);
  });

  test("from one network of IPv6 are counted together, and an address that is mapped into it as what it is", async () => {
    const gateway = await open({
      limits,
      trustProxy: ["127.0.0.1"],
      keyline: stage.keyline({ prefix: `${stage.prefix}.ipv6` }),
      channels: [],
    });
    const from = (address: string) => request(`${gateway.url}/v1/queues`, { headers: { "x-forwarded-for": address } });
    const network = ["2001:db8:1:2::1", "2001:DB8:1:2:ffff::", "2001:db8:1:2:3:4:5:6", "2001:0db8:0001:0002::7", "2001:db8:1:2::8"];
    for (const address of network) expect((await from(address)).status).toBe(200);
    expect((await from("2001:db8:1:2:abcd::9")).status).toBe(429);
    expect((await from("2001:db8:1:3::1")).status).toBe(200);
    for (let n = 0; n < 5; n++) expect((await from("10.1.1.1")).status).toBe(200);
    expect((await from("::ffff:10.1.1.1")).status).toBe(429);
    expect((await from("::ffff:0a01:0101")).status).toBe(429);
  });

  test("of somebody who is over the limit stay refused while many others come, and the oldest are forgotten first", async () => {
    const limit = new RequestLimit({ keyline, logger: silent, max: 1, perMs: 3_600_000 });
    limit.takeHere("first");
    for (let n = 0; n < 5_000; n++) limit.takeHere(`visitor-${n}`);
    limit.takeHere("busy");
    for (let n = 0; n < 9_000; n++) limit.takeHere(`other-${n}`);
    expect(() => limit.takeHere("busy")).toThrow(/Too many/);
    expect(() => limit.takeHere("first")).not.toThrow();
  });

  test("are still counted, by each gateway alone, while Valkey is away", async () => {
    const away = stage.keyline({ valkey: "valkey://127.0.0.1:1" });
    const limit = new RequestLimit({ keyline: away, logger: silent, max: 3, perMs: 3_600_000 });
    for (let n = 0; n < 3; n++) await limit.take("ip:1");
    await expect(limit.take("ip:1")).rejects.toMatchObject({ body: { status: 429 } });
    await limit.take("ip:2");
  });

  test("for live connections are counted too, and ask nothing of Valkey", async () => {
    const gateway = await open({ limits });
    const url = `${gateway.url}/v1/channels/news/messages`;
    const headers = bearer(await signToken({ sub: "reader" }));
    for (let n = 0; n < 5; n++) (await EventSourceReader.open(url, headers)).close();
    expect(await request(url, { headers })).toMatchObject({ status: 429, body: { code: "RATE_LIMITED" } });
    expect(await stage.valkey.keys(`${stage.prefix}:gateway:requests:*reader*`)).toEqual([]);
  });

  test("leave keys in Valkey that go by themselves", async () => {
    for (const key of await stage.valkey.keys(`${stage.prefix}*:gateway:requests:*`))
      expect(await stage.valkey.pttl(key)).toBeGreaterThan(0);
  });
});

describe("live connections", () => {
  test("of one visitor are capped, streams and WebSockets together, and one that closes makes room", async () => {
    const gateway = await open({ limits: { connectionsPerVisitor: 3 } });
    const url = `${gateway.url}/v1/channels/news/messages`;
    const readers = [await EventSourceReader.open(url), await EventSourceReader.open(url)];
    const socket = await SocketReader.open(`${gateway.url}/v1/ws`);
    expect(await request(url)).toMatchObject({ status: 429, body: { code: "TOO_MANY_CONNECTIONS" } });
    await expect(SocketReader.open(`${gateway.url}/v1/ws`)).rejects.toThrow("status 429");
    readers[0]?.close();
    await expect.poll(() => gateway.gateway.connections).toBe(2);
    (await EventSourceReader.open(url)).close();
    socket.close();
    readers[1]?.close();
    await expect.poll(() => gateway.gateway.connections).toBe(0);
  });

  test("are capped in all", async () => {
    const gateway = await open({ limits: { connections: 1 } });
    const url = `${gateway.url}/v1/channels/news/messages`;
    const reader = await EventSourceReader.open(url);
    const refused = await request(url, { headers: bearer(await signToken({ sub: "late" })) });
    expect(refused).toMatchObject({ status: 503, body: { code: "GATEWAY_FULL" } });
    expect(refused.headers.get("retry-after")).toBe("5");
    reader.close();
  });
});
