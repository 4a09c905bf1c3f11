import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { eventually, openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import type { StandaloneGateway } from "../../src/index.ts";
import { EventSourceReader } from "../support/event-source.ts";
import { bearer, openGateway, request, signToken } from "../support/gateway.ts";
import { SocketReader } from "../support/socket.ts";

let stage: Stage;
let gateway: StandaloneGateway;
beforeAll(async () => {
  stage = await openStage();
  const keyline = stage.keyline();
  gateway = await openGateway({
    keyline,
    queues: [keyline.queue("emails")],
    channels: [{ channel: keyline.channel("private", { history: {} }), access: "token" }],
  });
});
afterAll(async () => {
  await gateway.close();
  await stage.close();
});

async function issue(): Promise<string> {
  const token = await signToken({ channels: { subscribe: ["private"] } });
  const answer = await request(`${gateway.url}/v1/tickets`, { method: "POST", headers: bearer(token) });
  expect(answer).toMatchObject({ status: 201, body: { ticket: expect.stringMatching(/^[\w-]{43}$/), expiresAt: expect.any(Number) } });
  expect(Number(answer.body["expiresAt"]) - Date.now()).toBeLessThan(60_000);
  return String(answer.body["ticket"]);
}

const streamUrl = (ticket: string): string => `${gateway.url}/v1/channels/private/messages?ticket=${ticket}`;
const socketUrl = (ticket: string): string => `${gateway.url}/v1/ws?ticket=${ticket}`;

const agent = (name: string): Record<string, string> => ({ "user-agent": name });

test("a ticket opens one stream, and opens that again for the visitor that took it", async () => {
  const ticket = await issue();
  const first = await EventSourceReader.open(streamUrl(ticket), agent("ada's"));
  const again = await EventSourceReader.open(streamUrl(ticket), { ...agent("ada's"), "last-event-id": first.lastEventId });
  const refused = { status: 401, body: { code: "TICKET_INVALID" } };
  // Another program, a page of another origin, another stream, a WebSocket.
  expect(await request(streamUrl(ticket), { headers: agent("eve's") })).toMatchObject(refused);
  expect(await request(streamUrl(ticket), { headers: { ...agent("ada's"), origin: "https://evil.example" } })).toMatchObject(refused);
  expect(await request(`${streamUrl(ticket)}&since=earliest`, { headers: agent("ada's") })).toMatchObject(refused);
  await expect(SocketReader.open(socketUrl(ticket), agent("ada's"))).rejects.toThrow("status 401");
  first.close();
  again.close();
});

test("a ticket that a WebSocket took opens no event stream", async () => {
  const ticket = await issue();
  (await SocketReader.open(socketUrl(ticket), agent("ada's"))).close();
  expect(await request(streamUrl(ticket), { headers: agent("ada's") })).toMatchObject({ status: 401, body: { code: "TICKET_INVALID" } });
});

test("a ticket that opened a stream is kept while that is open, not longer than its token, and minutes after", async () => {
  const other = await openGateway({
    keyline: stage.keyline(),
    channels: [{ channel: stage.keyline().channel("private", { history: {} }), access: "token" }],
    limits: { beatMs: 1_000 },
  });
  onTestFinished(() => other.close());
  const lifeOf = async (): Promise<number[]> => {
    const keys = await stage.valkey.keys(`${stage.prefix}:gateway:ticket:*:used`);
    return Promise.all(keys.map((key) => stage.valkey.pttl(key)));
  };
  await stage.valkey.del("none", ...(await stage.valkey.keys(`${stage.prefix}:gateway:ticket:*:used`)));
  const token = await signToken({ exp: Math.floor(Date.now() / 1_000) + 3_600, channels: { subscribe: ["private"] } });
  const { body } = await request(`${other.url}/v1/tickets`, { method: "POST", headers: bearer(token) });
  const address = `${other.url}/v1/channels/private/messages?ticket=${String(body["ticket"])}`;
  const reader = await EventSourceReader.open(address);
  expect(await lifeOf()).toEqual([expect.closeTo(300_000, -5)]);
  const [key = ""] = await stage.valkey.keys(`${stage.prefix}:gateway:ticket:*:used`);
  // As if most of it had passed.
  await stage.valkey.pexpire(key, 20_000);
  await eventually("it is kept again", async () => ((await lifeOf())[0] ?? 0) > 200_000);
  reader.close();
  await reader.ended;
  await eventually("it is closed", () => other.gateway.connections === 0);
  await stage.valkey.pexpire(key, 20_000);
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  expect((await lifeOf())[0]).toBeLessThan(20_000);
  await stage.valkey.del(key);
  await expect(EventSourceReader.open(address)).rejects.toThrow("status 401");
});

test("of many who show one ticket at the same moment, one gets in", async () => {
  const ticket = await issue();
  const attempts = await Promise.allSettled(
    Array.from({ length: 10 }, (_, n) => EventSourceReader.open(streamUrl(ticket), agent(`number ${n}`))),
  );
  const readers = attempts.filter((attempt) => attempt.status === "fulfilled");
  expect(readers).toHaveLength(1);
  readers[0]?.value.close();
});

test("a ticket opens one WebSocket, once, with the rights of its token", async () => {
  const ticket = await issue();
  const reader = await SocketReader.open(socketUrl(ticket));
  expect(await reader.ask({ type: "subscribe", channel: "private" }, "subscribed")).toMatchObject({ channel: "private" });
  await expect(SocketReader.open(socketUrl(ticket))).rejects.toThrow("status 401");
  reader.close();
});

test("a ticket is in Valkey under a key from which it cannot be read, and not for long", async () => {
  const ticket = await issue();
  const keys = await stage.valkey.keys(`${stage.prefix}:gateway:ticket:*`);
  expect(keys.length).toBeGreaterThan(0);
  expect(keys.join(" ")).not.toContain(ticket);
  for (const key of keys) expect(await stage.valkey.pttl(key)).toBeLessThan(60_000);
});

test.each(["nonsense", "a".repeat(43), "", "a%0D%0Ab"])("%j is no ticket", async (ticket) => {
  expect(await request(streamUrl(ticket))).toMatchObject({ status: 401, body: { code: "TICKET_INVALID" } });
});

test("a ticket of a token that ends within a second's fraction is issued", async () => {
  const token = await signToken({ exp: Date.now() / 1_000 + 20.0005 });
  const answer = await request(`${gateway.url}/v1/tickets`, { method: "POST", headers: bearer(token) });
  expect(answer).toMatchObject({ status: 201, body: { expiresAt: expect.any(Number) } });
  expect(Number.isInteger(Number(answer.body["expiresAt"]) - Date.now())).toBe(true);
});

test("a ticket is for live connections alone: elsewhere it is not looked at, and keeps its worth", async () => {
  const ticket = await issue();
  for (const path of ["/v1/queues/emails", "/v1/tickets", "/v1/channels/private/messages"]) {
    const method = path === "/v1/queues/emails" ? "GET" : "POST";
    const body = method === "POST" ? { body: { data: 1 } } : {};
    const answer = await request(`${gateway.url}${path}?ticket=${ticket}`, { method, ...body });
    expect(answer).toMatchObject({ status: 401, body: { code: "TOKEN_MISSING" } });
  }
  (await EventSourceReader.open(streamUrl(ticket))).close();
});

test("without a token there is no ticket", async () => {
  expect(await request(`${gateway.url}/v1/tickets`, { method: "POST" })).toMatchObject({ status: 401, body: { code: "TOKEN_MISSING" } });
});
