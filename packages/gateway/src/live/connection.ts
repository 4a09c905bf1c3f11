import type { Duplex } from "node:stream";
import { visitorKey, type Visitor } from "../access/token.ts";

/** Why the gateway ends a connection. A client sees it, and comes back where that makes sense. */
export type EndCode =
  | "DRAINING"
  | "SLOW_RECEIVER"
  | "TOKEN_EXPIRED"
  | "TOKEN_REVOKED"
  | "TOKEN_INVALID"
  | "INVALID_FRAME"
  | "TOO_MANY_FRAMES"
  | "TOO_MANY_CONNECTIONS"
  | "INTERNAL_ERROR"
  | "SILENT"
  | "RENEW"
  | "CLOSED";

/** Why a feed ends for a receiver, while the connection goes on. */
export type FeedEndCode = "SLOW_RECEIVER" | "CLOSED";

/** What a connection needs of those who look after all of them. */
interface ConnectionKeeper {
  readonly sendBufferBytes: number;
  readonly eventStreamMs: number;
  nextSlot(): number;
  noteEnd(code: EndCode): void;
  onBeat(connection: LiveConnection): void;
}

// Less than this waits in the socket of a receiver that keeps up, also while it is far behind.
const lowWaterBytes = 65_536;
const lastWordsMs = 5_000;
const nothing = Buffer.alloc(0);

/**
 * One open connection, event stream or WebSocket. It holds the socket and little else, for there are thousands: no timer, and no frame of
 * its own. What the socket has not taken yet is the only thing that can grow, and it is capped.
 */
export abstract class LiveConnection {
  readonly connections: ConnectionKeeper;
  readonly socket: Duplex;
  visitor: Visitor;
  /** Spreads the heartbeats of all connections over time. */
  readonly slot: number;
  /** When the socket is destroyed, however much it still holds; 0 while the connection lives. */
  endsAt = 0;
  /** What the kernel had taken when somebody last looked. */
  #taken = -1;
  #drained: Promise<void> | undefined;

  constructor(connections: ConnectionKeeper, setup: { readonly socket: Duplex; readonly visitor: Visitor }) {
    this.connections = connections;
    this.socket = setup.socket;
    this.visitor = setup.visitor;
    this.slot = connections.nextSlot();
  }

  get key(): string {
    return visitorKey(this.visitor);
  }

  get isEnding(): boolean {
    return this.endsAt !== 0;
  }

  /** Frames that all receivers share. A receiver that leaves too much unread is cut; it can resume from its cursor. */
  write(frames: Buffer): void {
    if (this.endsAt !== 0 || !this.socket.writable) return;
    const waiting = this.socket.writableLength;
    if (waiting > 0 && waiting + frames.length > this.connections.sendBufferBytes) this.end("SLOW_RECEIVER");
    else this.socket.write(frames);
  }

  /** Whether bytes that can wait may be written now: however large, they alone never make a receiver a slow one. */
  hasRoomFor(bytes: number): boolean {
    const waiting = this.socket.writableLength;
    return waiting === 0 || waiting + bytes <= lowWaterBytes || this.endsAt !== 0 || !this.socket.writable;
  }

  /** Resolves when the socket has taken what it was given so far, or is gone. However many wait, the socket is asked once. */
  drained(): Promise<void> {
    const { socket } = this;
    if (!socket.writable || socket.writableLength === 0) return Promise.resolve();
    // Node emits "drain" only where much waits. What is written behind everything else is taken last, were it nothing at all.
    this.#drained ??= new Promise((resolve) => {
      socket.write(nothing, () => {
        this.#drained = undefined;
        resolve();
      });
    });
    return this.#drained;
  }

  /** It is gone: what it held is free. */
  abstract leave(): void;
  /** Tells the client why, and closes. Never called twice. */
  protected abstract sayGoodbye(code: EndCode, retryMs: number): void;
  /** Lets the client hear from the gateway; called at every beat, unless what was written before still waits. Ends a client that is not there. */
  abstract beat(): void;
  /** Its token has expired, or was revoked: called once a second from then on. */
  abstract loseToken(code: "TOKEN_EXPIRED" | "TOKEN_REVOKED"): void;

  end(code: EndCode, retryMs = 0): void {
    if (this.endsAt !== 0) return;
    this.endsAt = Date.now() + lastWordsMs;
    this.connections.noteEnd(code);
    this.sayGoodbye(code, retryMs);
  }

  /** Sends the client away, to come back after `retryMs`. */
  drain(retryMs: number): void {
    this.end("DRAINING", retryMs);
  }

  /** Called by the sweep, once a second. */
  tick(now: number, isBeat: boolean): void {
    if (this.endsAt !== 0) {
      if (now >= this.endsAt) this.socket.destroy();
      return;
    }
    if (this.visitor.token && now >= this.visitor.token.expiresAt) this.loseToken("TOKEN_EXPIRED");
    else if (isBeat) {
      this.connections.onBeat(this);
      this.#beatUnlessStuck();
    }
  }

  #beatUnlessStuck(): void {
    const waiting = this.socket.writableLength;
    if (waiting === 0) {
      this.#taken = -1;
      this.beat();
      return;
    }
    // A beat behind frames that wait says nothing. What has not moved from one beat to the next never will.
    const taken = "bytesWritten" in this.socket ? Number(this.socket.bytesWritten) - waiting : 0;
    if (taken === this.#taken) this.end("SLOW_RECEIVER");
    else this.#taken = taken;
  }
}
