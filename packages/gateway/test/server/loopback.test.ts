import { fastify } from "fastify";
import { request as httpRequest } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import { gateway, startGateway } from "../../src/index.ts";
import { isLoopback } from "../../src/server/loopback.ts";
import { EventSourceReader } from "../support/event-source.ts";
import { request, secret } from "../support/gateway.ts";
import { SocketReader } from "../support/socket.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

describe.each([
  ["0.0.0.0", false],
  ["::", false],
  ["127.0.0.1", true],
  ["localhost", true],
])("on %s", (host, isAllowed) => {
  test(`without a key the gateway ${isAllowed ? "listens" : "refuses to listen"}`, async () => {
    const starting = startGateway({ keyline: stage.keyline(), host, port: 0, closeOn: [] });
    if (isAllowed) await (await starting).close();
    else await expect(starting).rejects.toThrow(/listens on loopback only/);
  });

  test(`without a key an application with the plugin ${isAllowed ? "listens" : "refuses to listen"}`, async () => {
    const app = fastify();
    await app.register(gateway, { keyline: stage.keyline() });
    if (isAllowed) await app.listen({ host, port: 0 });
    else await expect(app.listen({ host, port: 0 })).rejects.toThrow(/listens on loopback only/);
    await app.close();
  });
});

test("with a key it listens anywhere", async () => {
  const started = await startGateway({ keyline: stage.keyline(), host: "0.0.0.0", port: 0, access: { secret }, closeOn: [] });
  await started.close();
});

test.each(["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost", "::ffff:127.0.0.1"])("%s is loopback", (host) => {
  expect(isLoopback(host)).toBe(true);
});

test.each(["", "0.0.0.0", "::", "127.0.0.1.evil.example", "localhost.evil.example", "128.0.0.1", "10.0.0.1"])("%j is not", (host) => {
  expect(isLoopback(host)).toBe(false);
});

describe("without a key", () => {
  test("everybody on this machine may everything", async () => {
    const keyline = stage.keyline();
    const channels = [{ channel: keyline.channel("private", { history: {} }), access: "token" }] as const;
    const started = await startGateway({ keyline, channels, queues: [keyline.queue("jobs")], port: 0, closeOn: [] });
    const reader = await EventSourceReader.open(`${started.url}/v1/channels/private/messages`);
    await request(`${started.url}/v1/channels/private/messages`, { body: { data: "open" } });
    expect((await reader.receive("message"))[0]?.data["data"]).toBe("open");
    expect((await request(`${started.url}/v1/queues/jobs/jobs`, { body: { data: 1 } })).status).toBe(201);
    expect((await request(`${started.url}/v1/queues`)).body).toEqual({ queues: ["jobs"] });
    const own = await SocketReader.open(`${started.url}/v1/ws`, { origin: started.url });
    own.close();
    await expect(SocketReader.open(`${started.url}/v1/ws`, { origin: "http://evil.example" })).rejects.toThrow("status 403");
    reader.close();
    await started.close();
  });

  test("a name that was made to resolve to this machine gets no answer", async () => {
    const started = await startGateway({ keyline: stage.keyline(), queues: [], port: 0, closeOn: [] });
    const status = await new Promise((resolve, reject) => {
      const outgoing = httpRequest(`${started.url}/v1/queues`, { headers: { host: "evil.example" } }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      outgoing.on("error", reject);
      outgoing.end();
    });
    expect(status).toBe(403);
    await started.close();
  });
});
