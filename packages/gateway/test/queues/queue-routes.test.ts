import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import type { Keyline } from "keyline";
import { eventually, openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import type { StandaloneGateway } from "../../src/index.ts";
import { bearer, openGateway, request, signToken } from "../support/gateway.ts";

let stage: Stage;
let keyline: Keyline;
let gateway: StandaloneGateway;
let headers: Record<string, string>;

beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  await keyline.migrate();
  const queues = [
    keyline.queue("emails", { schema: z.object({ to: z.string() }) }),
    keyline.queue<{ orderId: number }>("orders", { transactional: true }),
    keyline.queue("anything"),
    keyline.queue("placed"),
  ];
  gateway = await openGateway({ keyline, queues });
  headers = bearer(await signToken({ queues: ["emails", "any*", "orders", "placed", "nowhere"] }));
});
afterAll(async () => {
  await gateway.close();
  await stage.close();
});

const add = (queue: string, body: unknown, more: Record<string, string> = {}) =>
  request(`${gateway.url}/v1/queues/${queue}/jobs`, { body, headers: { ...headers, ...more } });

test("adds a job that a worker runs", async () => {
  const answer = await add("emails", { data: { to: "a@example.com" } });
  expect(answer).toMatchObject({ status: 201, body: { id: expect.any(String), added: true } });
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const worker = keyline.queue("emails").work((job) => resolve({ id: job.id, data: job.data }));
  expect(await promise).toEqual({ id: answer.body["id"], data: { to: "a@example.com" } });
  await worker.stop();
});

test("adds a job to a transactional queue, and a second with the same id not again", async () => {
  const body = { data: { orderId: 1 }, options: { id: "order-1" } };
  expect(await add("orders", body)).toMatchObject({ status: 201, body: { id: "order-1", added: true } });
  expect(await add("orders", body)).toMatchObject({ status: 201, body: { id: "order-1", added: false } });
});

test("says how many jobs there are, and which queues the token is for", async () => {
  await add("anything", { data: null });
  const answer = await request(`${gateway.url}/v1/queues/anything`, { headers });
  expect(answer).toMatchObject({
    status: 200,
    body: {
      counts: { waiting: 1, running: 0, scheduled: 0, blocked: 0, parked: 0, dead: 0 },
      paused: false,
      oldestWaitingAt: expect.any(Number),
      isFromRows: false,
    },
  });
  expect((await request(`${gateway.url}/v1/queues`, { headers })).body).toEqual({ queues: ["emails", "orders", "anything", "placed"] });
  const narrow = bearer(await signToken({ queues: ["orders"] }));
  expect((await request(`${gateway.url}/v1/queues`, { headers: narrow })).body).toEqual({ queues: ["orders"] });
});

test("puts jobs where their options say, and counts them there", async () => {
  const queue = keyline.queue("placed");
  await queue.pause();
  expect(await add("placed", { data: 1, options: { delay: 3_600_000 } })).toMatchObject({ status: 201 });
  expect(await add("placed", { data: 2, options: { runAt: Date.now() + 3_600_000 } })).toMatchObject({ status: 201 });
  for (const data of [3, 4]) expect(await add("placed", { data, options: { group: "g" } })).toMatchObject({ status: 201 });
  for (const priority of ["low", "normal", "high"]) await add("placed", { data: priority, options: { priority } });
  const answer = await request(`${gateway.url}/v1/queues/placed`, { headers });
  expect(answer.body).toMatchObject({ counts: { waiting: 4, scheduled: 2, blocked: 1 }, paused: true });
  const ran: unknown[] = [];
  const worker = queue.work(({ data }) => void ran.push(data));
  await queue.resume();
  await eventually("what is due has run", () => ran.length === 5);
  expect(ran.indexOf("high")).toBeLessThan(ran.indexOf("low"));
  expect(ran.indexOf(3)).toBeLessThan(ran.indexOf(4));
  await worker.stop();
});

test.each(["placed", "orders"])("adds a job with a key to deduplicate to %s once", async (name) => {
  const body = (orderId: number, deduplicate: object) => ({ data: { orderId }, options: { delay: 3_600_000, deduplicate } });
  const first = await add(name, body(1, { key: "a" }));
  expect(first).toMatchObject({ status: 201, body: { added: true } });
  expect(await add(name, body(2, { key: "a" }))).toMatchObject({ status: 201, body: { id: first.body["id"], added: false } });
  expect(await add(name, body(3, { key: "b", window: 3_600_000 }))).toMatchObject({ status: 201, body: { added: true } });
  expect(await add(name, body(4, { key: "b", window: 3_600_000 }))).toMatchObject({ status: 201, body: { added: false } });
  const latest = (orderId: number) =>
    add(name, { data: { orderId }, options: { deduplicate: { key: "c", window: 3_600_000, keep: "latest" } } });
  const kept = await latest(5);
  expect(await latest(6)).toMatchObject({ status: 201, body: { id: kept.body["id"], added: false } });
  expect((await keyline.queue(name).job(String(kept.body["id"])))?.data).toEqual({ orderId: 6 });
});

test.each([
  ["a key to deduplicate that is none", "anything", { data: 1, options: { deduplicate: { key: "" } } }, 400, "INVALID_OPTION"],
  ["the latest without a window", "anything", { data: 1, options: { deduplicate: { key: "a", keep: "latest" } } }, 400, "INVALID_OPTION"],
  ["a member of deduplicate that is none", "anything", { data: 1, options: { deduplicate: { key: "a", ttl: 1 } } }, 400, "INVALID_REQUEST"],
  ["data that the schema rejects", "emails", { data: { to: 5 } }, 422, "VALIDATION_FAILED"],
  ["a body without data", "anything", {}, 400, "INVALID_REQUEST"],
  ["a member that is none", "anything", { data: 1, tx: {} }, 400, "INVALID_REQUEST"],
  ["an option that cannot come from outside", "anything", { data: 1, options: { tx: {} } }, 400, "INVALID_REQUEST"],
  ["an option of the wrong kind", "anything", { data: 1, options: { maxAttempts: "3" } }, 400, "INVALID_REQUEST"],
  ["an option that Keyline refuses", "anything", { data: 1, options: { maxAttempts: 0 } }, 400, "INVALID_OPTION"],
  ["a delay and a time", "anything", { data: 1, options: { delay: 1, runAt: 1 } }, 400, "INVALID_OPTION"],
  ["a negative delay", "anything", { data: 1, options: { delay: -1 } }, 400, "INVALID_OPTION"],
  ["a priority that is none", "anything", { data: 1, options: { priority: "urgent" } }, 400, "INVALID_REQUEST"],
  ["an empty group", "anything", { data: 1, options: { group: "" } }, 400, "INVALID_OPTION"],
  ["an id that is none", "anything", { data: 1, options: { id: "a b" } }, 400, "INVALID_ID"],
  ["a queue that nobody declared", "nowhere", { data: 1 }, 404, "UNKNOWN_QUEUE"],
  ["what is no name", "a%20b", { data: 1 }, 400, "INVALID_NAME"],
])("refuses %s", async (_, queue, body, status, code) => {
  expect(await add(queue, body)).toMatchObject({ status, body: { code } });
});

test("refuses who has no token, and whose token does not list the queue", async () => {
  const url = `${gateway.url}/v1/queues/emails/jobs`;
  const body = { data: { to: "a@example.com" } };
  expect(await request(url, { body })).toMatchObject({ status: 401, body: { code: "TOKEN_MISSING" } });
  const other = bearer(await signToken({ queues: ["email"] }));
  expect(await request(url, { body, headers: other })).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });
});
