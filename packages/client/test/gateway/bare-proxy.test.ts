import { startProxy } from "@keyline/embedded";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { openGateway } from "../../../gateway/test/support/gateway.ts";
import { nginxAround } from "../../../gateway/test/support/proxies.ts";
import { SocketReader } from "../../../gateway/test/support/socket.ts";
import { openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import { connect, type ClientError } from "../../src/index.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

// nginx is to be had from this system's archives, where it is not installed: that takes a while, once.
test("behind nginx with proxy_pass alone no WebSocket gets through: the client says so, and receives all the same", async () => {
  const keyline = stage.keyline();
  const channel = keyline.channel("news", { history: {} });
  const gateway = await openGateway({
    keyline,
    channels: [{ channel, access: "public", publish: "public" }],
    trustProxy: ["127.0.0.1", "::1"],
  });
  onTestFinished(() => gateway.close());
  const proxy = await startProxy({
    program: "nginx",
    configuration: (place) => {
      const server = `server { listen 127.0.0.1:${place.port}; location / { proxy_pass ${gateway.url}; } }`;
      return nginxAround(server, place);
    },
  });
  onTestFinished(() => proxy.stop());
  await expect(SocketReader.open(`${proxy.url}/v1/ws`)).rejects.toThrow("status 426");
  const live = connect(proxy.url);
  onTestFinished(() => live.close());
  const errors: ClientError[] = [];
  live.on("error", (error) => void errors.push(error));
  const subscription = live.subscribe<string>("news");
  await subscription.ready;
  await live.publish("news", "through");
  const { value } = await subscription[Symbol.asyncIterator]().next();
  expect(value?.data).toBe("through");
  expect(errors.map(({ code }) => code)).toEqual(["WEBSOCKET_UNAVAILABLE"]);
}, 180_000);
