import { KeylineError, type Keyline } from "keyline";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import type { ChannelExposure, GatewayLimits, StandaloneGateway, StreamExposure } from "../../src/index.ts";
import { EventSourceReader } from "../support/event-source.ts";
import { openGateway, request } from "../support/gateway.ts";

let stage: Stage;
let keyline: Keyline;
beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
});
afterAll(() => stage.close());

const eventSource = { accept: "text/event-stream" };

async function open(limits: Partial<GatewayLimits> = {}): Promise<StandaloneGateway> {
  const failures: Record<string, Error> = {
    away: new KeylineError("POSTGRES_UNAVAILABLE", "away"),
    broken: new Error("a bug of the application"),
  };
  const find = (name: string): string => {
    if (failures[name]) throw failures[name];
    return name;
  };
  const channels = (name: string): ChannelExposure => ({ channel: keyline.channel(find(name), { history: {} }), access: "public" });
  const streams = (name: string): StreamExposure => ({ stream: keyline.stream(find(name)), access: "public" });
  const gateway = await openGateway({ keyline, channels, streams, limits });
  onTestFinished(() => gateway.close());
  return gateway;
}

const paths = ["/v1/channels/NAME/messages", "/v1/live?channel=NAME", "/v1/streams/NAME/events"];

describe.each(paths)("%s: what passes ends the stream of an EventSource, which comes again, and is a status for others", (path) => {
  const at = ({ url }: StandaloneGateway, name: string): string => url + path.replace("NAME", name);

  async function expectPassing(url: string, { status, code, leastRetryMs }: { status: number; code: string; leastRetryMs: number }) {
    const id = "1-0";
    const reader = await EventSourceReader.open(url, { ...eventSource, "last-event-id": id });
    await reader.ended;
    expect(reader.events).toEqual([{ event: "end", id, data: { code } }]);
    expect(reader.retryMs).toBeGreaterThanOrEqual(leastRetryMs);
    expect(reader.retryMs).toBeLessThan(leastRetryMs + 3_000);
    const headers = { accept: "text/event-stream, application/problem+json" };
    expect(await request(url, { headers })).toMatchObject({ status, body: { code } });
  }

  test("a store that is away", async () => {
    await expectPassing(at(await open(), "away"), { status: 503, code: "POSTGRES_UNAVAILABLE", leastRetryMs: 1_000 });
  });

  test("a fault of the application", async () => {
    await expectPassing(at(await open(), "broken"), { status: 500, code: "INTERNAL_ERROR", leastRetryMs: 2_000 });
  });

  test("too many connections of one visitor, and of all", async () => {
    for (const [limits, status, code] of [
      [{ connectionsPerVisitor: 1 }, 429, "TOO_MANY_CONNECTIONS"],
      [{ connections: 1 }, 503, "GATEWAY_FULL"],
    ] as const) {
      const gateway = await open(limits);
      const first = await EventSourceReader.open(at(gateway, "news"), eventSource);
      await expectPassing(at(gateway, "news"), { status, code, leastRetryMs: 5_000 });
      first.close();
    }
  });

  test("too many requests", async () => {
    const gateway = await open({ requests: { max: 1, perMs: 60_000 } });
    (await EventSourceReader.open(at(gateway, "news"), eventSource)).close();
    const reader = await EventSourceReader.open(at(gateway, "news"), eventSource);
    expect((await reader.receive("end"))[0]?.data).toEqual({ code: "RATE_LIMITED" });
    expect(reader.retryMs).toBeLessThan(63_000);
    expect((await request(at(gateway, "news"))).status).toBe(429);
  });

  test("what can never be granted is a refusal for all of them", async () => {
    const gateway = await open();
    expect(await request(at(gateway, "keyline:own"), { headers: eventSource })).toMatchObject({
      status: 401,
      body: { code: "TOKEN_MISSING" },
    });
    expect(await request(at(gateway, "no%20name"), { headers: eventSource })).toMatchObject({
      status: 400,
      body: { code: "INVALID_NAME" },
    });
  });
});

test("where an EventSource stands in one of several channels is none any more: a gap in that one, and the other misses nothing", async () => {
  const gateway = await open();
  const [kept, other] = [keyline.channel("kept", { history: {} }), keyline.channel("other", { history: {} })];
  const { cursor } = await kept.publish(0);
  await kept.publish(1);
  await other.publish("missed");
  const headers = { ...eventSource, "last-event-id": `${cursor},an.old.form` };
  const reader = await EventSourceReader.open(`${gateway.url}/v1/live?channel=kept&channel=other`, headers);
  await reader.receive("message");
  await other.publish("next");
  await reader.receive("message", 2);
  expect(reader.events.map(({ event, data }) => [event, data["channel"], data["data"] ?? data["reason"]])).toEqual([
    ["gap", "other", "lost"],
    ["message", "kept", 1],
    ["message", "other", "next"],
  ]);
  reader.close();
});
