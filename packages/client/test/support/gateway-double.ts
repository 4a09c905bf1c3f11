import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { WebSocketServer, type WebSocket } from "ws";
import { Notice } from "./notice.ts";

interface Frame {
  readonly type: string;
  readonly channel: string;
  readonly stream?: string;
  readonly after?: string;
  readonly sub?: number;
  readonly ref?: number;
  readonly since?: string;
  readonly data?: unknown;
  readonly info?: unknown;
  readonly token?: string;
}

interface Kept {
  readonly id: string;
  readonly data: unknown;
  readonly at: number;
  readonly cursor: string | null;
}

interface Peer {
  readonly socket: WebSocket;
  /** By number, or by name for those without. */
  readonly subs: Map<number | string, { readonly channel: string; readonly sub: number | undefined }>;
  framesThisSecond: number;
  second: number;
  readonly watched: Set<string>;
  readonly entered: Set<string>;
  member: string | undefined;
}

interface Member {
  readonly member: string;
  readonly info: unknown;
  readonly since: number;
}

/** A channel as the double keeps it: with a history until `hasHistory` is made false. */
class DoubleChannel {
  hasHistory = true;
  epoch = 1;
  sequence = 0;
  readonly kept: Kept[] = [];
  readonly members = new Map<string, Member>();

  get cursor(): string | null {
    return this.hasHistory ? `${this.epoch}-${this.sequence}` : null;
  }
}

/**
 * A gateway of the tests' own: one channel is an array. It speaks the protocol and can do what networks and gateways do to clients:
 * drop connections, hang with them open, refuse them, go away and come back on the same port.
 */
export class GatewayDouble {
  /** Every frame that clients sent, in order. */
  readonly frames: Frame[] = [];
  beatMs = 15_000;
  maxFrameBytes = 100_000;
  /** Whoever says more is cut off. */
  framesPerSecond = 50;
  /** How long a token lives, by its text; undefined refuses it. */
  lifeOf: (token: string) => number | null | undefined = () => null;
  /** What to answer instead of the usual; true when the double said something itself, or nothing. */
  intercept: (frame: Frame, say: (answer: object) => void) => boolean = () => false;
  connections = 0;
  readonly #channels = new Map<string, DoubleChannel>();
  readonly #peers = new Set<Peer>();
  readonly #happened = new Notice();
  #server: WebSocketServer | undefined;
  #port = 0;
  #isStalled = false;
  #nextEntry = 1;

  static async start(): Promise<GatewayDouble> {
    const double = new GatewayDouble();
    await double.up();
    return double;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#port}/v1/ws`;
  }

  async up(): Promise<void> {
    const server = new WebSocketServer({ host: "127.0.0.1", port: this.#port });
    this.#server = server;
    server.on("connection", (socket) => this.#welcome(socket));
    await once(server, "listening");
    this.#port = (server.address() as AddressInfo).port;
  }

  /** Ends all connections and refuses new ones. */
  async down(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.drop();
    await new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()));
  }

  /** Resets all connections. */
  drop(): void {
    for (const { socket } of this.#peers) socket.terminate();
  }

  close(code: number): void {
    for (const { socket } of this.#peers) socket.close(code);
  }

  /** From now on nothing is said and nothing heard on any connection, though they stay open. */
  stall(): void {
    this.#isStalled = true;
  }

  /** Frames that arrived meanwhile are lost with their connections. */
  recover(): void {
    this.#isStalled = false;
    this.drop();
  }

  sayToAll(frame: object): void {
    for (const peer of this.#peers) this.#say(peer, frame);
  }

  channel(name: string): DoubleChannel {
    let channel = this.#channels.get(name);
    if (!channel) this.#channels.set(name, (channel = new DoubleChannel()));
    return channel;
  }

  publish(name: string, data: unknown): string {
    const channel = this.channel(name);
    const id = `m${++channel.sequence}`;
    const message = { id, data, at: Date.now(), cursor: channel.cursor };
    if (channel.hasHistory) channel.kept.push(message);
    for (const peer of this.#peers) {
      for (const { channel: subscribed, sub } of peer.subs.values()) {
        if (subscribed === name) this.#say(peer, { type: "message", channel: name, sub, ...message });
      }
    }
    return id;
  }

  /** Keeps only the newest `size` messages. */
  trim(name: string, size: number): void {
    const { kept } = this.channel(name);
    kept.splice(0, kept.length - size);
  }

  /** The history is gone, and another one begins. */
  lose(name: string): void {
    const channel = this.channel(name);
    channel.epoch++;
    channel.sequence = 0;
    channel.kept.length = 0;
  }

  /** Resolves with the `count`th frame of this type (and channel), which may have come already. */
  async frame(type: string, { channel, count = 1 }: { readonly channel?: string; readonly count?: number } = {}): Promise<Frame> {
    let found: Frame | undefined;
    await this.#happened.until(() => {
      found = this.frames.filter((frame) => frame.type === type && (!channel || frame.channel === channel))[count - 1];
      return found !== undefined;
    });
    if (!found) throw new Error(`There was no ${type}`);
    return found;
  }

  /** Resolves when so many connections have been made. */
  async connected(count: number): Promise<void> {
    await this.#happened.until(() => this.connections >= count);
  }

  /** Resolves when so many connections are open. */
  async open(count: number): Promise<void> {
    await this.#happened.until(() => this.#peers.size === count);
  }

  #welcome(socket: WebSocket): void {
    const peer: Peer = {
      socket,
      subs: new Map(),
      watched: new Set(),
      entered: new Set(),
      member: undefined,
      framesThisSecond: 0,
      second: 0,
    };
    this.#peers.add(peer);
    this.connections++;
    this.#happened.notify();
    this.#say(peer, {
      type: "hello",
      beatMs: this.beatMs,
      gateway: "double",
      maxFrameBytes: this.maxFrameBytes,
      framesPerSecond: this.framesPerSecond,
    });
    const beats = setInterval(() => this.#say(peer, { type: "beat" }), this.beatMs);
    socket.on("error", () => undefined);
    socket.on("close", () => {
      clearInterval(beats);
      this.#peers.delete(peer);
      for (const channel of peer.entered) this.#leave(peer, channel);
      this.#happened.notify();
    });
    socket.on("message", (text) => {
      if (this.#isStalled) return;
      if (this.#isFlood(peer)) return socket.close(4429);
      const frame = JSON.parse((text as Buffer).toString()) as Frame;
      this.frames.push(frame);
      if (!this.intercept(frame, (answer) => this.#say(peer, answer))) this.#answer(peer, frame);
      this.#happened.notify();
    });
  }

  #say({ socket }: Peer, frame: object): void {
    if (!this.#isStalled) socket.send(JSON.stringify(frame));
  }

  #isFlood(peer: Peer): boolean {
    const second = Math.floor(Date.now() / 1_000);
    peer.framesThisSecond = second === peer.second ? peer.framesThisSecond + 1 : 1;
    peer.second = second;
    return peer.framesThisSecond > this.framesPerSecond;
  }

  #answer(peer: Peer, frame: Frame): void {
    const { type, channel, sub, ref } = frame;
    if (type === "token") this.#takeToken(peer, frame);
    if (type === "subscribe") this.#subscribe(peer, frame);
    if (type === "unsubscribe") {
      peer.subs.delete(sub ?? channel);
      this.#say(peer, { type: "unsubscribed", channel, sub, code: null, cursor: null });
    }
    if (type === "publish") this.#say(peer, { type: "published", ref, id: this.publish(channel, frame.data), receivers: this.#peers.size });
    if (type === "enter") this.#enter(peer, frame);
    if (type === "leave" || type === "unwatch") {
      if (type === "leave") this.#leave(peer, channel);
      else peer.watched.delete(channel);
      this.#say(peer, { type: "done", ref });
    }
    if (type === "watch") {
      peer.watched.add(channel);
      this.#say(peer, { type: "present", channel, ref, members: [...this.channel(channel).members.values()] });
    }
    if (type === "follow") this.#say(peer, { type: "following", stream: frame.stream, sub, after: frame.after ?? "-" });
    if (type === "append") {
      const id = `1-${this.#nextEntry++}`;
      this.#say(peer, { type: "appended", ref, id, appended: true });
      this.sayToAll({ type: "entry", stream: frame.stream, id, data: frame.data, at: Date.now(), key: null });
    }
    if (type === "ping") this.#say(peer, { type: "pong" });
  }

  #takeToken(peer: Peer, { token = "", ref }: Frame): void {
    const life = this.lifeOf(token);
    if (life === undefined) {
      this.#say(peer, { type: "error", ref, code: "TOKEN_INVALID", message: "The token is not valid" });
      peer.socket.close(4401);
      return;
    }
    peer.member = token;
    this.#say(peer, { type: "token", ref, expiresAt: Date.now() + (life ?? 0), expiresInMs: life });
  }

  #subscribe(peer: Peer, { channel: name, sub, since }: Frame): void {
    const channel = this.channel(name);
    peer.subs.set(sub ?? name, { channel: name, sub });
    const [epoch, sequence] = (since ?? "").split("-").map(Number);
    const isOther = since !== undefined && since !== "earliest" && epoch !== channel.epoch;
    const isFromStart = since === "earliest" || isOther;
    const oldest = channel.sequence - channel.kept.length;
    const begin = since === undefined ? channel.sequence : isFromStart ? oldest : (sequence ?? 0);
    this.#say(peer, { type: "subscribed", channel: name, sub, cursor: channel.hasHistory ? `${channel.epoch}-${begin}` : null });
    if (isOther) this.#say(peer, { type: "gap", channel: name, sub, reason: "lost", missed: null });
    if (begin < oldest) this.#say(peer, { type: "gap", channel: name, sub, reason: "trimmed", missed: oldest - begin });
    for (const message of channel.kept.slice(Math.max(0, begin - oldest)))
      this.#say(peer, { type: "message", channel: name, sub, ...message });
  }

  #enter(peer: Peer, { channel, info, ref }: Frame): void {
    const { member } = peer;
    if (member === undefined) {
      return this.#say(peer, { type: "error", ref, channel, code: "FORBIDDEN", message: "A member needs a name" });
    }
    const entry = { member, info, since: Date.now() };
    this.channel(channel).members.set(member, entry);
    peer.entered.add(channel);
    this.#say(peer, { type: "done", ref });
    this.#tellWatchers(channel, { type: "joined", channel, ...entry });
  }

  #leave(peer: Peer, channel: string): void {
    const entry = peer.member === undefined ? undefined : this.channel(channel).members.get(peer.member);
    peer.entered.delete(channel);
    if (!entry) return;
    this.channel(channel).members.delete(entry.member);
    this.#tellWatchers(channel, { type: "left", channel, ...entry });
  }

  #tellWatchers(channel: string, frame: object): void {
    for (const peer of this.#peers) if (peer.watched.has(channel)) this.#say(peer, frame);
  }
}
