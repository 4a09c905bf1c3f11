import { fastify } from "fastify";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Keyline } from "keyline";
import { openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import { gateway } from "../../src/index.ts";
import { bearer, secret, signToken } from "../support/gateway.ts";

let stage: Stage;
let keyline: Keyline;
beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  await keyline.migrate();
});
afterAll(() => stage.close());

// What counts requests, and that somebody follows a queue's events: it goes by itself.
const isNote = /:gateway:requests:|:(?:tracked|aware|feed|feed:state|signals)$/;

/** Everything that is in both stores, without such notes. */
async function contents(): Promise<unknown> {
  const keys = (await stage.valkey.keys(`${stage.prefix}*`)).filter((key) => !isNote.test(key)).sort();
  const values = await Promise.all(keys.map(async (key) => [key, (await stage.valkey.dumpBuffer(key))?.toString("base64")]));
  const { rows: tables } = await stage.pool.query<{ name: string }>(
    "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname = 'keyline' ORDER BY 1",
  );
  const rows = await Promise.all(tables.map(async ({ name }) => [name, (await stage.pool.query(`SELECT * FROM ${name} ORDER BY 1`)).rows]));
  return { values, rows };
}

test("what is asked by a safe method changes nothing in either store, whatever the route", async () => {
  const app = fastify({ forceCloseConnections: true });
  const routes: { readonly method: string; readonly url: string }[] = [];
  app.addHook("onRoute", ({ method, url }) => void routes.push(...[method].flat().map((one) => ({ method: one, url }))));
  const [channel, stream] = [keyline.channel("thing", { history: {} }), keyline.stream<object>("thing", { key: () => "thing" })];
  const queue = keyline.queue("thing");
  await app.register(gateway, {
    keyline,
    access: { secret },
    metrics: "open",
    origins: ["https://friend.example"],
    channels: [{ channel, access: "public", publish: "public" }],
    streams: [{ stream, access: "public", append: "public" }],
    queues: [queue],
  });
  const url = await app.listen({ port: 0, host: "127.0.0.1" });
  // Each is there and has been read: reading what nobody has written notes that it is empty.
  await channel.publish(1);
  await stream.append({});
  await queue.add(1, { id: "thing" });
  expect(await stream.read()[Symbol.asyncIterator]().next()).toMatchObject({ done: false });
  const headers = bearer(
    await signToken({ queues: ["*"], jobs: { see: ["*"] }, channels: { subscribe: ["*"] }, streams: { read: ["*"] } }),
  );

  const before = await contents();
  const safe = routes.filter(({ method }) => ["GET", "HEAD", "OPTIONS"].includes(method));
  const statuses: Record<string, number> = {};
  for (const { method, url: pattern } of safe) {
    const path = pattern.replaceAll(/:\w+/g, "thing");
    for (const accept of ["application/json", "text/event-stream"]) {
      const leaving = new AbortController();
      const query = path.endsWith("/live") ? "?channel=thing" : "?key=thing";
      const answer = await fetch(`${url}${path}${query}`, { method, headers: { ...headers, accept }, signal: leaving.signal });
      statuses[`${method} ${pattern}`] = answer.status;
      leaving.abort();
    }
  }
  // All of them did what they are for.
  const answered = Object.entries(statuses).filter(([name]) => name.startsWith("GET ") && name !== "GET /v1/ws");
  expect(answered.map(([, status]) => status)).toEqual(answered.map(() => 200));
  expect(answered.map(([name]) => name)).toEqual(
    expect.arrayContaining([
      "GET /openapi.json",
      "GET /metrics",
      "GET /v1/queues/:queue",
      "GET /v1/queues/:queue/jobs",
      "GET /v1/queues/:queue/jobs/:id",
      "GET /v1/queues/:queue/events",
      "GET /v1/live",
      "GET /v1/streams/:stream/events",
    ]),
  );
  expect(await contents()).toEqual(before);
  await app.close();
});
