import cors from "@fastify/cors";
import websocketPlugin from "@fastify/websocket";
import { fastify } from "fastify";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../keyline/test/support/stage.ts";
import { gateway, type ChannelExposure } from "../src/index.ts";
import { EventSourceReader } from "./support/event-source.ts";
import { bearer, request, secret, signToken } from "./support/gateway.ts";
import { SocketReader } from "./support/socket.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

describe("the plugin", () => {
  test("leaves the other routes of an application as they were", async () => {
    const app = fastify();
    app.post("/own", (request) => ({ own: request.body }));
    app.get("/own/failing", () => {
      throw new Error("own failure");
    });
    await app.register(gateway, { keyline: stage.keyline(), access: { secret } });
    const url = await app.listen({ port: 0 });
    const text = await fetch(`${url}/own`, { method: "POST", headers: { "content-type": "text/plain" }, body: "plain" });
    expect(await text.json()).toEqual({ own: "plain" });
    const failing = await request(`${url}/own/failing`);
    expect(failing.body).toMatchObject({ message: "own failure" });
    expect(failing.headers.get("content-security-policy")).toBeNull();
    await app.close();
  });

  test("has operators find the channels that it was given as a list", async () => {
    const keyline = stage.keyline();
    const app = fastify();
    await app.register(gateway, { keyline, access: { secret }, channels: [{ channel: keyline.channel("listed"), access: "public" }] });
    await app.ready();
    await eventually("it is in the directory", async () => {
      return (await stage.keyline().directory.channels()).some(({ name }) => name === "listed");
    });
    await app.close();
  });

  test("lets pages of listed origins in at its own routes only, beside an application that does so itself", async () => {
    const origin = "https://friend.example";
    const askAt = async (url: string) => {
      const preflight = { origin, "access-control-request-method": "POST", "access-control-request-headers": "authorization" };
      const response = await fetch(url, { method: "OPTIONS", headers: preflight });
      const { headers } = response;
      return [response.status, headers.get("access-control-allow-origin"), headers.get("access-control-allow-headers")];
    };
    const options = { keyline: stage.keyline(), access: { secret }, origins: [origin] };

    const plain = fastify();
    plain.post("/own", () => "own");
    await plain.register(gateway, options);
    const url = await plain.listen({ port: 0 });
    expect(await askAt(`${url}/own`)).toEqual([404, null, null]);
    expect(await askAt(`${url}/v1/nothing`)).toEqual([404, null, null]);
    for (const path of ["/v1/queues", "/v1/queues/emails/jobs", "/v1/channels/news/messages", "/v1/live", "/v1/tickets"]) {
      expect(await askAt(`${url}${path}`)).toEqual([204, origin, "authorization"]);
    }
    await plain.close();

    const own = fastify();
    await own.register(cors, { origin: "https://own.example" });
    own.post("/own", () => "own");
    await own.register((scope) => scope.register(gateway, options), { prefix: "/live" });
    const at = await own.listen({ port: 0 });
    expect((await askAt(`${at}/own`))[1]).toBe("https://own.example");
    const answer = await fetch(`${at}/live/healthz`, { headers: { origin } });
    expect(answer.headers.get("access-control-allow-origin")).toBe(origin);
    await own.close();
  });

  test("finds channels that are made while it runs", async () => {
    const keyline = stage.keyline();
    const exposures = new Map<string, ChannelExposure>();
    const app = fastify();
    await app.register(gateway, { keyline, access: { secret }, channels: async (name: string) => exposures.get(name) });
    const url = await app.listen({ port: 0 });
    const address = `${url}/v1/channels/tech_news/messages`;
    expect((await request(address)).status).toBe(401);
    exposures.set("tech_news", { channel: keyline.channel("tech_news", { history: {} }), access: "public", publish: "token" });
    const reader = await EventSourceReader.open(address);
    const headers = bearer(await signToken({ channels: { publish: ["tech_*"] } }));
    expect(await request(address, { body: { data: { text: "new" } }, headers })).toMatchObject({ status: 201, body: { receivers: 1 } });
    expect((await reader.receive("message"))[0]?.data["data"]).toEqual({ text: "new" });
    await app.close();
    await reader.ended;
  });

  test("shares WebSockets with an application that has its own, if they are as careful", async () => {
    const app = fastify();
    await app.register(websocketPlugin, { options: { maxPayload: 1_024 } });
    app.get("/own", { websocket: true }, (socket) => socket.send('{"type":"own"}'));
    await app.register(gateway, { keyline: stage.keyline(), access: { secret } });
    const url = await app.listen({ port: 0 });
    const [own, ours] = [await SocketReader.open(`${url}/own`), await SocketReader.open(`${url}/v1/ws`)];
    await own.receive("own");
    await ours.receive("hello");
    await app.close();
    const careless = fastify();
    await careless.register(websocketPlugin);
    await expect(
      Promise.resolve(careless.register(gateway, { keyline: stage.keyline(), access: { secret } })).then(() => careless.ready()),
    ).rejects.toThrow(/maxPayload/);
    await careless.close();
  });

  test("closes what asked for an upgrade and got an answer", async () => {
    const app = fastify();
    app.get("/own", () => "plain");
    await app.register(gateway, { keyline: stage.keyline(), access: { secret } });
    const url = await app.listen({ port: 0 });
    await expect(SocketReader.open(`${url}/v1/nothing`)).rejects.toThrow("status 404");
    await expect(SocketReader.open(`${url}/healthz`)).rejects.toThrow("status 200");
    await app.close();
  });
});
