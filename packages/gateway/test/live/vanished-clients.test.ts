import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { eventually, openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import { startWireProxy, targetOf, type WireProxy } from "../../../keyline/test/support/wire-proxy.ts";
import type { StandaloneGateway } from "../../src/index.ts";
import { EventSourceReader } from "../support/event-source.ts";
import { bearer, openGateway, request, signToken } from "../support/gateway.ts";
import { SocketReader } from "../support/socket.ts";

// A client that vanishes is one behind a proxy that goes on taking what the gateway sends, as kernels do, and brings nothing back.

const beatMs = 1_000;

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

interface Place {
  readonly gateway: StandaloneGateway;
  readonly proxy: WireProxy;
  /** The gateway's address, by way of the proxy. */
  readonly url: string;
}

async function open(limits: { readonly eventStreamMs?: number; readonly connectionsPerVisitor?: number } = {}): Promise<Place> {
  const keyline = stage.keyline();
  const channel = keyline.channel("room", { history: {} });
  const gateway = await openGateway({
    keyline,
    channels: [{ channel, access: "public", presence: true, publish: "public" }],
    limits: { beatMs, ...limits },
  });
  const proxy = await startWireProxy({ target: targetOf(gateway.url) });
  onTestFinished(async () => {
    await proxy.stop();
    await gateway.close();
  });
  return { gateway, proxy, url: `http://127.0.0.1:${proxy.port}` };
}

async function endsOf({ gateway }: Place, code: string): Promise<number> {
  const { body } = await request(`${gateway.url}/metrics`);
  return Number(
    new RegExp(`^keyline_gateway_connections_ended_total\\{code="${code}"\\} (\\d+)`, "m").exec(String(body["text"]))?.[1] ?? 0,
  );
}

test("a WebSocket whose client vanished without closing is given up: its presence leaves, its place is free", async () => {
  const place = await open({ connectionsPerVisitor: 1 });
  const watcher = await SocketReader.open(`${place.gateway.url}/v1/ws`, bearer(await signToken({ sub: "watcher" })));
  await watcher.ask({ type: "watch", channel: "room" }, "present");
  const headers = bearer(await signToken({ sub: "gone" }));
  const reader = await SocketReader.open(`${place.url}/v1/ws`, headers);
  await reader.ask({ type: "enter", channel: "room" }, "done");
  await reader.ask({ type: "subscribe", channel: "room" }, "subscribed");
  await watcher.receive("joined");
  place.proxy.stallAll();
  expect((await watcher.receive("left"))[0]).toMatchObject({ channel: "room", member: "gone" });
  await eventually("it is forgotten", () => place.gateway.gateway.connections === 1);
  expect(await endsOf(place, "SILENT")).toBe(1);
  (await SocketReader.open(`${place.gateway.url}/v1/ws`, headers)).close();
  // It has said nothing all the while, and answered.
  expect(watcher.socket.readyState).toBe(watcher.socket.OPEN);
  watcher.close();
});

test("a WebSocket on which nobody says anything is not given up as long as it answers", async () => {
  const { gateway } = await open();
  const reader = await SocketReader.open(`${gateway.url}/v1/ws`);
  await reader.receive("beat", 5);
  expect(await reader.ask({ type: "subscribe", channel: "room" }, "subscribed")).toMatchObject({ channel: "room" });
  reader.close();
});

test("an event stream ends after its time, so that one whose client vanished is forgotten, and one that is there resumes without a hole", async () => {
  const place = await open({ eventStreamMs: 5_000 });
  const path = "/v1/channels/room/messages";
  await EventSourceReader.open(`${place.url}${path}`);
  place.proxy.stallAll();
  const present = await EventSourceReader.open(`${place.gateway.url}${path}`);
  expect((await present.receive("end"))[0]?.data).toEqual({ code: "RENEW" });
  // Sooner than after a fault.
  expect(present.retryMs).toBeLessThan(1_000);
  await present.ended;
  await request(`${place.gateway.url}/v1/channels/room/messages`, { body: { data: "between" } });
  const again = await EventSourceReader.open(`${place.gateway.url}${path}`, { "last-event-id": present.lastEventId });
  expect((await again.receive("message"))[0]?.data).toMatchObject({ data: "between" });
  again.close();
  await eventually("both are forgotten", () => place.gateway.gateway.connections === 0);
  expect(await endsOf(place, "RENEW")).toBeGreaterThanOrEqual(2);
});
