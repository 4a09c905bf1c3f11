import { once } from "node:events";
import { connect } from "node:net";
import { fastify } from "fastify";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import { errorAnswers, type StandaloneGateway } from "../../src/index.ts";
import { openGateway } from "../support/gateway.ts";

let stage: Stage;
let gateway: StandaloneGateway;
beforeAll(async () => {
  stage = await openStage();
  const keyline = stage.keyline();
  gateway = await openGateway({ keyline, channels: [{ channel: keyline.channel("news"), access: "public" }] });
});
afterAll(async () => {
  await gateway.close();
  await stage.close();
});

interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

/** What comes back for these bytes, up to the end of the connection or of the answer. */
async function send(url: string, bytes: string | Buffer): Promise<RawAnswer> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => undefined);
  let answer = "";
  const whole = Promise.withResolvers<void>();
  socket.on("data", (data) => {
    answer += data.toString("latin1");
    const length = Number(/^content-length: (\d+)/im.exec(answer)?.[1] ?? Infinity);
    if (answer.length >= answer.indexOf("\r\n\r\n") + 4 + length) whole.resolve();
  });
  socket.write(bytes);
  await Promise.race([whole.promise, once(socket, "close")]);
  const [head = "", text = ""] = answer.split("\r\n\r\n", 2);
  const [line = "", ...lines] = head.split("\r\n");
  const headers = Object.fromEntries(lines.map((entry) => [entry.split(": ")[0]?.toLowerCase(), entry.slice(entry.indexOf(": ") + 2)]));
  return { status: Number(line.split(" ")[1]), headers, text };
}

const get = (path: string, ...lines: string[]): string => ["GET " + path + " HTTP/1.1", "Host: localhost", ...lines, "\r\n"].join("\r\n");
const upgrade = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];
const marker = "marker";

describe("an answer that is an error has one shape", () => {
  test.each<[string, string | Buffer, number, string]>([
    ["a name that is too long", get(`/v1/channels/${marker.repeat(120)}/messages`), 414, "PATH_TOO_LONG"],
    ["a path that is not encoded right", get(`/v1/channels/${marker}%zz/messages`), 400, "INVALID_PATH"],
    ["a path with raw bytes beyond ASCII", Buffer.from(get(`/v1/channels/${marker}\u00fc\u00ff/messages`), "latin1"), 400, ""],
    ["a path that is not there", get(`/v1/${marker}`), 404, "NOT_FOUND"],
    ["a method that is none here", `DELETE /v1/${marker} HTTP/1.1\r\nHost: localhost\r\n\r\n`, 404, "NOT_FOUND"],
    ["what is no HTTP", `${marker}\r\n\r\n`, 400, "INVALID_REQUEST"],
    ["a header that is none", get("/healthz", `${marker} x`), 400, "INVALID_REQUEST"],
    ["headers that are too large", get("/healthz", `X: ${marker.repeat(5_000)}`), 431, "HEADERS_TOO_LARGE"],
    ["no Host", `GET /${marker} HTTP/1.1\r\n\r\n`, 400, "INVALID_REQUEST"],
    ["an expectation", get("/healthz", `Expect: ${marker}`), 417, "EXPECTATION_FAILED"],
    [
      "a body of another type",
      `POST /v1/tickets HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/${marker}\r\nContent-Length: 1\r\n\r\nx`,
      415,
      "",
    ],
    ["a handshake without a key", get(`/v1/ws?${marker}`, ...upgrade), 400, "INVALID_HANDSHAKE"],
    ["a handshake of another version", get("/v1/ws", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 99"), 400, ""],
    [
      "a handshake with protocols that are none",
      get("/v1/ws", ...upgrade, `Sec-WebSocket-Key: ${"a".repeat(22)}==`, "Sec-WebSocket-Protocol: ,"),
      400,
      "",
    ],
    ["an upgrade to something else", get(`/v1/${marker}`, "Connection: Upgrade", `Upgrade: ${marker}`), 404, "NOT_FOUND"],
    ["an upgrade of a route that has none", get("/v1/ws", "Connection: Upgrade", `Upgrade: ${marker}`), 400, "INVALID_HANDSHAKE"],
  ])("%s", async (_, bytes, status, code) => {
    const answer = await send(gateway.url, bytes);
    expect(answer).toMatchObject({
      status,
      headers: {
        "content-type": expect.stringMatching(/^application\/problem\+json/),
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
      },
    });
    const body = JSON.parse(answer.text) as Record<string, unknown>;
    expect(body).toMatchObject({ status, title: expect.any(String), code: code === "" ? expect.stringMatching(/^[A-Z_]+$/) : code });
    expect(Object.keys(answer.headers).filter((name) => name === "server" || name === "x-powered-by")).toEqual([]);
    // What was asked is known to who asked, and is not for a page, or a log, to show.
    expect(answer.text).not.toContain(marker);
  });

  test("also in a server of one's own, with the options that the package has for it", async () => {
    const app = fastify({ ...errorAnswers });
    onTestFinished(() => app.close());
    app.get("/:name", () => "hello");
    const url = await app.listen({ port: 0, host: "127.0.0.1" });
    expect((await send(url, get(`/${"x".repeat(200)}`))).text).toContain("PATH_TOO_LONG");
    expect((await send(url, "x\r\n\r\n")).text).toContain("INVALID_REQUEST");
  });

  test("and is not written into an answer that has begun", async () => {
    const answer = await send(gateway.url, `${get("/v1/channels/news/messages", "Accept: text/event-stream")}garbage\r\n\r\n`);
    expect(answer.text).not.toContain("INVALID_REQUEST");
  });
});
