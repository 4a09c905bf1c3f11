import { Validator } from "@seriousme/openapi-schema-validator";
import { networkInterfaces } from "node:os";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import type { StandaloneGateway } from "../../src/index.ts";
import { EventSourceReader } from "../support/event-source.ts";
import { openGateway, request } from "../support/gateway.ts";

let stage: Stage;
let gateway: StandaloneGateway;
beforeAll(async () => {
  stage = await openStage();
  const keyline = stage.keyline();
  const queues = [keyline.queue("emails")];
  gateway = await openGateway({ keyline, queues, channels: [{ channel: keyline.channel("news"), access: "public" }] });
});
afterAll(async () => {
  await gateway.close();
  await stage.close();
});

test("the OpenAPI document is valid, and has every route", async () => {
  const { body } = await request(`${gateway.url}/openapi.json`);
  const result = await new Validator().validate({ ...body });
  expect(result).toMatchObject({ valid: true });
  const paths = body["paths"] as Record<string, object>;
  const routes = Object.entries(paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method} ${path}`));
  expect(routes.toSorted()).toEqual([
    "get /healthz",
    "get /readyz",
    "get /v1/channels/{channel}/messages",
    "get /v1/live",
    "get /v1/queues",
    "get /v1/queues/{queue}",
    "get /v1/queues/{queue}/events",
    "get /v1/queues/{queue}/jobs",
    "get /v1/queues/{queue}/jobs/{id}",
    "get /v1/streams/{stream}/events",
    "post /v1/channels/{channel}/messages",
    "post /v1/queues/{queue}/jobs",
    "post /v1/queues/{queue}/jobs/{id}/cancel",
    "post /v1/queues/{queue}/jobs/{id}/promote",
    "post /v1/queues/{queue}/jobs/{id}/signal",
    "post /v1/queues/{queue}/jobs/{id}/update",
    "post /v1/streams/{stream}/events",
    "post /v1/tickets",
  ]);
});

describe("ready", () => {
  test("is a gateway whose stores both answer", async () => {
    expect(await request(`${gateway.url}/readyz`)).toMatchObject({ status: 200, body: { status: "ready", valkey: "ok", postgres: "ok" } });
    expect(await request(`${gateway.url}/healthz`)).toMatchObject({ status: 200, body: { status: "alive" } });
  });

  test("needs no PostgreSQL where none is used", async () => {
    const { postgres: _, ...rest } = { postgres: undefined, keyline: stage.keyline({ postgres: undefined as never }) };
    const plain = await openGateway(rest);
    expect(await request(`${plain.url}/readyz`)).toMatchObject({ status: 200, body: { postgres: "unused" } });
    await plain.close();
  });

  test.each([
    ["Valkey", { valkey: "valkey://127.0.0.1:1" }, { valkey: "away", postgres: "ok" }],
    ["PostgreSQL", { postgres: "postgres://127.0.0.1:1/none" }, { valkey: "ok", postgres: "away" }],
  ])("is none whose %s does not answer, though it is alive", async (_, options, stores) => {
    const lame = await openGateway({ keyline: stage.keyline(options) });
    expect(await request(`${lame.url}/readyz`)).toMatchObject({ status: 503, body: { status: "not ready", ...stores } });
    expect((await request(`${lame.url}/healthz`)).status).toBe(200);
    await lame.close();
  });
});

describe("metrics", () => {
  test("count connections, deliveries, requests and jobs", async () => {
    const keyline = stage.keyline();
    const reader = await EventSourceReader.open(`${gateway.url}/v1/channels/news/messages`);
    await keyline.channel("news").publish(1);
    await keyline.queue("emails").add(1);
    await reader.receive("message");
    const response = await fetch(`${gateway.url}/metrics`);
    expect(response.headers.get("content-type")).toMatch(/^text\/plain/);
    const text = await response.text();
    expect(text).toContain('keyline_gateway_connections{kind="sse"} 1');
    expect(text).toContain("keyline_gateway_deliveries_total 1");
    expect(text).toContain('keyline_queue_jobs{queue="emails",state="waiting"} 1');
    expect(text).toMatch(/keyline_gateway_request_seconds_count\{method="GET",route="\/readyz",status="200"\} \d/);
    reader.close();
  });

  test("are for this machine, and not for whom a proxy on it speaks, unless the option says otherwise", async () => {
    const statusAt = async (url: string, headers: Record<string, string> = {}) => (await request(`${url}/metrics`, { headers })).status;
    const open = async (metrics?: "open") => {
      const at = await openGateway({ keyline: stage.keyline(), host: "0.0.0.0", ...(metrics ? { metrics } : {}) });
      onTestFinished(() => at.close());
      return at.url.replace("0.0.0.0", "127.0.0.1");
    };
    const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
    const address = own.find(({ family, internal }) => family === "IPv4" && !internal)?.address;
    const [local, everybody] = [await open(), await open("open")];
    expect(await statusAt(local)).toBe(200);
    for (const header of ["x-forwarded-for", "forwarded"]) {
      expect(await statusAt(local, { [header]: "10.0.0.1" })).toBe(403);
      expect(await statusAt(everybody, { [header]: "10.0.0.1" })).toBe(200);
    }
    if (address === undefined) return;
    expect(await statusAt(local.replace("127.0.0.1", address))).toBe(403);
    expect(await statusAt(everybody.replace("127.0.0.1", address))).toBe(200);
  });

  test("can need a token, and can be off", async () => {
    const guarded = await openGateway({ keyline: stage.keyline(), metrics: { token: "scraper" } });
    expect((await request(`${guarded.url}/metrics`)).status).toBe(401);
    expect((await request(`${guarded.url}/metrics`, { headers: { authorization: "Bearer scrapes" } })).status).toBe(401);
    expect((await request(`${guarded.url}/metrics`, { headers: { authorization: "Bearer scraper" } })).status).toBe(200);
    await guarded.close();
    const silent = await openGateway({ keyline: stage.keyline(), metrics: false });
    expect((await request(`${silent.url}/metrics`)).status).toBe(404);
    await silent.close();
    for (const token of [undefined, ""]) {
      await expect(openGateway({ keyline: stage.keyline(), metrics: { token } as never })).rejects.toThrow(/metrics.token/);
    }
  });
});
