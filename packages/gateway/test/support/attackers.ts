/*
 * Everything that somebody without a token does to a gateway, from one address and at once, in a process of its own: raw sockets, as no client
 * library would do it. First all connections are opened; a message begins the attacks; each message after it is answered with what came of them.
 */
import { connect, type Socket } from "node:net";

/** Of each attack: connections that were opened, and those that the gateway closed; requests that were answered, by status. */
interface Tally {
  opened: number;
  closed: number;
  readonly statuses: Record<string, number>;
}

const port = Number(process.argv[2]);
export type Tallies = Record<string, Tally>;

const tallies: Tallies = {};
let isOn = false;
const beginnings: (() => void)[] = [];
const againMs = 500;

interface Attack {
  readonly sockets: number;
  /** What is sent when a connection opens. */
  readonly opening?: string;
  /** Begun once all connections are open, and again on each that is opened later. */
  attack(socket: Socket): void;
  /** Nothing of what comes is read. */
  readonly isDeaf?: boolean;
}

const handshake = ["GET /v1/ws HTTP/1.1", "Host: localhost", "Connection: Upgrade", "Upgrade: websocket"]
  .concat("Sec-WebSocket-Version: 13", `Sec-WebSocket-Key: ${Buffer.alloc(16, "key").toString("base64")}`, "\r\n")
  .join("\r\n");
const get = (path: string, ...headers: string[]): string =>
  ["GET " + path + " HTTP/1.1", "Host: localhost", ...headers, "\r\n"].join("\r\n");

/** One frame of a client, masked with zeros. */
function frame(head: number, text: string): Buffer {
  const { length } = text;
  const size = length < 126 ? [0x80 | length] : [0x80 | 126, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([head, ...size, 0, 0, 0, 0]), Buffer.from(text)]);
}
const text = (message: object): Buffer => frame(0x81, JSON.stringify(message));
const times = (count: number, make: (n: number) => Buffer): Buffer => Buffer.concat(Array.from({ length: count }, (_, n) => make(n)));

/** As fast as it is taken, by turns with the other attacks. */
function flood(socket: Socket, data: Buffer | string): void {
  if (!socket.destroyed) socket.write(data, () => setImmediate(flood, socket, data));
}

let names = 0;
const nowhere = (): string => `nowhere-${names++}`;
const refusedKinds = [
  (): Buffer => text({ type: "publish", channel: nowhere(), data: 1 }),
  (): Buffer => text({ type: "follow", stream: nowhere() }),
  (): Buffer => text({ type: "enter", channel: nowhere() }),
  (): Buffer => text({ type: "append", stream: nowhere(), data: 1 }),
];
/** No faster than frames may come. */
function beRefused(socket: Socket): void {
  let n = 0;
  const more = setInterval(() => socket.write(refusedKinds[n++ % 4]?.() ?? ""), 20);
  socket.once("close", () => clearInterval(more));
}

const pongs = times(10_000, () => frame(0x8a, ""));
const pings = times(10_000, () => text({ type: "ping" }));
const longName = get(`/v1/channels/${"x".repeat(2_000)}/messages`).repeat(10);
const keyReads = get("/v1/streams/log/events?key=k&limit=1000");

const attacks: Record<string, Attack> = {
  // Of a hundred live connections:
  "unfinished messages": {
    sockets: 20,
    opening: handshake,
    attack: (socket) => socket.write(Buffer.concat([frame(0x01, "["), times(60, () => frame(0x00, " ".repeat(1_000)))])),
  },
  "deaf subscribers": {
    sockets: 10,
    opening: handshake,
    isDeaf: true,
    attack: (socket) => socket.write(text({ type: "subscribe", channel: "news" })),
  },
  "deaf event streams": { sockets: 10, opening: get("/v1/channels/news/messages"), isDeaf: true, attack: () => undefined },
  "unknown names": {
    sockets: 20,
    opening: handshake,
    attack: (socket) =>
      flood(
        socket,
        times(50, () => text({ type: "subscribe", channel: nowhere() })),
      ),
  },
  refusals: { sockets: 20, opening: handshake, attack: beRefused },
  pongs: { sockets: 10, opening: handshake, attack: (socket) => flood(socket, pongs) },
  "tiny frames": { sockets: 10, opening: handshake, attack: (socket) => flood(socket, pings) },
  "one too many": { sockets: 20, opening: handshake, attack: () => undefined },
  // Beside them:
  "reads of a key": { sockets: 80, isDeaf: true, attack: (socket) => socket.write(keyReads) },
  "pages of a key": { sockets: 5, attack: (socket) => flood(socket, keyReads) },
  "long names": { sockets: 5, attack: (socket) => flood(socket, longName) },
  "half requests": { sockets: 1_000, attack: (socket) => socket.write("GET /healthz HTTP/1.1\r\nHost: local") },
};

/** Keeps one connection, and opens another one when it is closed. */
function keep(kind: string, attack: Attack, tally: Tally): void {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  const begin = (): void => {
    if (!socket.destroyed) attack.attack(socket);
  };
  socket.once("connect", () => {
    tally.opened++;
    if (attack.opening !== undefined) socket.write(attack.opening);
    else if (isOn) begin();
    else beginnings.push(begin);
  });
  socket.once("data", (first: Buffer) => {
    if (attack.isDeaf) socket.pause();
    if (attack.opening === undefined) return;
    if (isOn) begin();
    else beginnings.push(begin);
    count(tally, first);
  });
  socket.on("data", (data: Buffer) => {
    if (attack.opening === undefined) count(tally, data);
  });
  socket.once("close", () => {
    tally.closed++;
    setTimeout(keep, againMs, kind, attack, tally);
  });
}

function count(tally: Tally, data: Buffer): void {
  for (const [, status = ""] of data.toString("latin1").matchAll(/HTTP\/1\.1 (\d{3})/g))
    tally.statuses[status] = (tally.statuses[status] ?? 0) + 1;
}

function begin(): void {
  isOn = true;
  for (const begin of beginnings.splice(0)) begin();
  const kind = "half requests";
  const attack = attacks[kind];
  if (attack) start(kind, attack);
}

function start(kind: string, attack: Attack): void {
  const tally: Tally = (tallies[kind] = { opened: 0, closed: 0, statuses: {} });
  for (let n = 0; n < attack.sockets; n++) keep(kind, attack, tally);
}

// Half requests take all the places of this address for connections that wait: the other attackers come first.
for (const [kind, attack] of Object.entries(attacks)) if (kind !== "half requests") start(kind, attack);
process.on("message", () => {
  if (!isOn && Object.entries(tallies).every(([kind, { opened }]) => opened >= (attacks[kind]?.sockets ?? 0))) begin();
  process.send?.(tallies);
});
// Not beyond a test that was killed.
process.on("disconnect", () => process.exit());
process.send?.("ready");
