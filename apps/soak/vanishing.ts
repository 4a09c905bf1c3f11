import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * A client that vanishes: it takes an event stream, or a WebSocket with a subscription, and from then on reads nothing and answers nothing, as one whose radio is lost. Its
 * connection stays for `forMs`. Returns what became of it meanwhile.
 */
export async function vanish(address: string, what: "event stream" | "WebSocket", forMs: number): Promise<string> {
  const { hostname, port, host } = new URL(address);
  const socket = connect(Number(port), hostname);
  socket.on("error", () => undefined);
  await once(socket, "connect");
  const isWebSocket = what === "WebSocket";
  socket.write(
    isWebSocket ? upgradeOf(host, address) : `${head("/v1/channels/tech_news/messages", host)}Accept: text/event-stream\r\n\r\n`,
  );
  const [bytes] = (await once(socket, "data")) as [Buffer];
  const status = /^HTTP\/1\.1 (\d+)/.exec(bytes.toString("latin1"))?.[1] ?? "none";
  if (isWebSocket) socket.write(textFrame(JSON.stringify({ type: "subscribe", id: 1, channel: "tech_news" })));
  socket.pause();
  await sleep(forMs);
  const isGivenUp = await hasEnded(socket);
  socket.destroy();
  return `vanished ${what} ${status} ${isGivenUp ? "was given up" : "was kept"}`;
}

function head(path: string, host: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n`;
}

function upgradeOf(host: string, origin: string): string {
  const key = randomBytes(16).toString("base64");
  return `${head("/v1/ws", host)}Origin: ${origin}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`;
}

/** A frame of less than 126 bytes, masked as clients have to. */
function textFrame(text: string): Buffer {
  const mask = randomBytes(4);
  const payload = Buffer.from(text).map((byte, index) => byte ^ (mask[index % 4] ?? 0));
  return Buffer.concat([Buffer.from([0x81, 0x80 | payload.length]), mask, payload]);
}

/** Reads what came, up to the end if there is one. */
async function hasEnded(socket: Socket): Promise<boolean> {
  const ended = once(socket, "close").then(() => true);
  socket.resume();
  return Promise.race([ended, sleep(500, false)]);
}
