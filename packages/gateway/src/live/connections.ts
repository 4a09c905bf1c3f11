import type { ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { ConnectionLimit, Seat } from "../limits/connection-limit.ts";
import { Problem } from "../server/problem.ts";
import { noteLive } from "../server/waiting-sockets.ts";
import type { EndCode, LiveConnection } from "./connection.ts";

const tickMs = 1_000;
const quickestReturnMs = 500;
// Of every client a millisecond, so that the others get a thousand of them in a second.
const returnSpreadMs = { least: 1_000, perConnection: 1, most: 30_000 };

interface Patience {
  readonly sendBufferBytes: number;
  readonly beatMs: number;
  readonly eventStreamMs: number;
}

/** All live connections of this gateway. One sweep serves them all: heartbeats, tokens that expire, receivers that are stuck. */
export class LiveConnections {
  readonly sendBufferBytes: number;
  /** How often a connection hears from the gateway when nothing happens. */
  readonly beatMs: number;
  /** How long an event stream lasts at the most. */
  readonly eventStreamMs: number;
  readonly #beatTicks: number;
  readonly #limit: ConnectionLimit;
  readonly #all = new Map<Duplex, LiveConnection>();
  readonly #ends = new Map<EndCode, number>();
  #slots = 0;
  #ticks = 0;
  #timer: NodeJS.Timeout | undefined;
  #isDraining = false;
  #isStopped = false;
  /** Whether a connection's token was revoked, also while the connection was being opened. */
  isRevoked: (connection: LiveConnection) => boolean = () => false;
  /** Called at every beat of a connection. */
  onBeat: (connection: LiveConnection) => void = () => undefined;

  /** Of all sockets, and of all answers: a listener of its own would hold on to what it can see, for each of thousands. */
  readonly #forget: (this: Duplex) => void;
  readonly #forgetAnswer: (this: ServerResponse) => void;

  constructor(limit: ConnectionLimit, { sendBufferBytes, beatMs, eventStreamMs }: Patience) {
    this.#limit = limit;
    this.sendBufferBytes = sendBufferBytes;
    this.#beatTicks = Math.max(1, Math.round(beatMs / tickMs));
    this.beatMs = this.#beatTicks * tickMs;
    this.eventStreamMs = eventStreamMs;
    const all = this.#all;
    const forget = (socket: Duplex): void => {
      const connection = all.get(socket);
      all.delete(socket);
      connection?.leave();
    };
    this.#forget = function forgetThis(this: Duplex): void {
      forget(this);
    };
    this.#forgetAnswer = function forgetSocket(this: ServerResponse): void {
      forget(this.req.socket);
    };
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  count(isCounted: (connection: LiveConnection) => boolean): number {
    let count = 0;
    for (const connection of this.#all.values()) if (isCounted(connection)) count++;
    return count;
  }

  get size(): number {
    return this.#all.size;
  }

  /** How many connections the gateway ended, by reason. */
  get ends(): ReadonlyMap<EndCode, number> {
    return this.#ends;
  }

  start(onTick: () => void): void {
    this.#timer ??= setInterval(() => {
      this.#sweep();
      onTick();
    }, tickMs);
  }

  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#timer);
    for (const socket of this.#all.keys()) socket.destroy();
  }

  nextSlot(): number {
    this.#slots = (this.#slots + 1) % this.#beatTicks;
    return this.#slots;
  }

  /** Throws a 503 problem while the gateway drains, and what the connection limit throws. Leave the seat at the end. */
  enter(visitor: string): Seat {
    if (this.#isDraining) throw new Problem({ title: "The gateway is about to stop", status: 503, code: "DRAINING" }, 1);
    return this.#limit.enter(visitor);
  }

  /** From now on `connection` is swept, until its socket is closed; `answer` is what it is, where it is one that never ends. */
  add(connection: LiveConnection, answer?: ServerResponse): void {
    this.#all.set(connection.socket, connection);
    noteLive(connection.socket, answer);
    // An answer is told when its socket closes, and has nobody else to tell.
    if (answer) answer.on("close", this.#forgetAnswer);
    else connection.socket.on("close", this.#forget);
    // What happened while it was being opened it has not been told.
    setImmediate(() => {
      if (connection.socket.destroyed) return;
      if (this.#isStopped) connection.socket.destroy();
      else if (this.isRevoked(connection)) connection.loseToken("TOKEN_REVOKED");
      else if (this.#isDraining) connection.drain(quickestReturnMs + Math.floor(Math.random() * returnSpreadMs.least));
    });
  }

  noteEnd(code: EndCode): void {
    this.#ends.set(code, (this.#ends.get(code) ?? 0) + 1);
  }

  endRevoked(): void {
    for (const connection of this.#all.values()) if (this.isRevoked(connection)) connection.loseToken("TOKEN_REVOKED");
  }

  /** No new ones; those there are told to come back at different times, so that the others do not get them all at once. */
  drain(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    const { least, perConnection, most } = returnSpreadMs;
    const spread = Math.min(most, Math.max(least, this.#all.size * perConnection));
    for (const connection of this.#all.values()) connection.drain(quickestReturnMs + Math.floor(Math.random() * spread));
  }

  /** Resolves when all are gone: after a drain, that takes no longer than their last words. */
  async whenEmpty(): Promise<void> {
    while (this.#all.size > 0) {
      const [socket] = this.#all.keys();
      await new Promise<void>((resolve) => socket?.once("close", () => resolve()));
    }
  }

  #sweep(): void {
    this.#ticks++;
    const now = Date.now();
    const slot = this.#ticks % this.#beatTicks;
    for (const connection of this.#all.values()) connection.tick(now, connection.slot === slot);
  }
}
