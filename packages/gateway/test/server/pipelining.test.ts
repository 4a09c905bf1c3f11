import { connect, type Socket } from "node:net";
import { fastify } from "fastify";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import { gateway } from "../../src/index.ts";
import { openGateway } from "../support/gateway.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

const parts = () => {
  const keyline = stage.keyline();
  return { keyline, channels: [{ channel: keyline.channel("news"), access: "public" as const }] };
};

async function startOwn(): Promise<number> {
  const { url, close } = await openGateway(parts());
  onTestFinished(close);
  return Number(new URL(url).port);
}

async function startApplication(): Promise<number> {
  const app = fastify({ forceCloseConnections: true });
  onTestFinished(() => app.close());
  app.get("/own", () => "own");
  await app.register(gateway, { ...parts(), access: { secret: "a secret of the tests, which is long enough" } });
  return Number(new URL(await app.listen({ port: 0, host: "127.0.0.1" })).port);
}

/** What comes when a path is asked for so many times at once. */
function ask(port: number, path: string, count: number): { readonly socket: Socket; answers(): number; readonly closed: Promise<void> } {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  let text = "";
  socket.on("data", (data) => (text += data.toString("latin1")));
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`.repeat(count));
  onTestFinished(() => void socket.destroy());
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  return { socket, closed, answers: () => text.match(/HTTP\/1\.1 \d/g)?.length ?? 0 };
}

describe("a connection on which twenty requests wait for their answers is closed at the next one", () => {
  test.each([
    ["what is counted", startOwn, "/v1/streams/nowhere/events"],
    ["what everybody may ask", startOwn, "/healthz"],
    ["what is not there", startOwn, "/nowhere"],
    ["a path that is too long", startOwn, `/v1/channels/${"x".repeat(700)}/messages`],
    ["the gateway of an application", startApplication, "/v1/streams/nowhere/events"],
  ])("at %s", async (_, start, path) => {
    const port = await start();
    const calm = ask(port, path, 20);
    await expect.poll(calm.answers).toBe(20);
    const rude = ask(port, path, 1_000);
    await rude.closed;
    expect(rude.answers()).toBeLessThanOrEqual(20);
    expect(calm.socket.destroyed).toBe(false);
  });
});

test("an application's own routes are asked as often as it likes", async () => {
  const own = ask(await startApplication(), "/own", 1_000);
  await expect.poll(own.answers).toBe(1_000);
});
