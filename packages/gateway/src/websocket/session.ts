import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import { visitorKey, type Visitor } from "../access/token.ts";
import type { Seat } from "../limits/connection-limit.ts";
import { LiveConnection, type EndCode, type FeedEndCode } from "../live/connection.ts";
import type { LiveConnections } from "../live/connections.ts";
import type { Feed } from "../live/feed.ts";
import type { Receiver, Source } from "../live/receiver.ts";
import { toTextFrame } from "../live/wire.ts";

const closeCodes: Record<EndCode, number> = {
  DRAINING: 1012,
  CLOSED: 1012,
  INVALID_FRAME: 4400,
  TOKEN_INVALID: 4401,
  TOKEN_EXPIRED: 4401,
  TOKEN_REVOKED: 4403,
  SLOW_RECEIVER: 4408,
  TOO_MANY_FRAMES: 4429,
  TOO_MANY_CONNECTIONS: 4429,
  SILENT: 4410,
  RENEW: 1012,
  INTERNAL_ERROR: 1011,
};

const noticeMs = 2_000;
// For the client's program, and a ping of WebSocket itself, which a browser answers without its page: RFC 6455, section 5.5.2.
const beatFrames = Buffer.concat([toTextFrame('{"type":"beat"}'), Buffer.from([0x89, 0])]);
const mostUnanswered = 2;
/** For the close frame to arrive at a client that is read no more. */
const floodWordsMs = 1_000;

/** One subscription of a session. `sub` is what the client calls it; without, there is one for a channel. */
export interface SessionSubscription {
  readonly channel: string;
  readonly sub: number | undefined;
  readonly feed: Feed;
}

interface SessionSetup {
  readonly webSocket: WebSocket;
  readonly socket: Duplex;
  readonly visitor: Visitor;
  readonly seat: Seat;
}

const drainPatienceMs = 3_000;

/** One WebSocket as the feeds and the sweep see it. */
export class Session extends LiveConnection implements Receiver {
  readonly #webSocket: WebSocket;
  readonly #seat: Seat;
  readonly #subscriptions = new Map<string | number, SessionSubscription>();
  #noticeEndsAt = 0;
  #isLeaving = false;
  /** What had come from the client at the last beat, and how many beats in a row brought nothing more. */
  #heardBytes = -1;
  #unanswered = 0;
  /** Resolves when the frames that came so far are answered. */
  whenAnswered: () => Promise<void> = () => Promise.resolve();
  /** Called when it is gone. */
  onLeave: () => void = () => undefined;
  /** Looks whether the client finishes what it begins. */
  checkPatience: (now: number) => void = () => undefined;

  constructor(connections: LiveConnections, setup: SessionSetup) {
    super(connections, setup);
    this.#webSocket = setup.webSocket;
    this.#seat = setup.seat;
  }

  get subscriptions(): ReadonlyMap<string | number, SessionSubscription> {
    return this.#subscriptions;
  }

  /** True when nothing more is taken from the client. */
  get isLeaving(): boolean {
    return this.#isLeaving || this.isEnding;
  }

  /** An answer of this connection alone, in its place among the shared frames. */
  send(frame: object): void {
    this.write(toTextFrame(JSON.stringify(frame)));
  }

  hold(subscription: SessionSubscription): void {
    this.#subscriptions.set(subscription.sub ?? subscription.channel, subscription);
  }

  /** Ends a subscription and tells the client: `code` is null when the client wished it. */
  release({ channel, sub }: { readonly channel: string; readonly sub?: number | undefined }, code: string | null): void {
    const key = sub ?? channel;
    const feed = this.#subscriptions.get(key)?.feed;
    const cursor = feed?.placeOf(this) ?? "";
    feed?.leave(this);
    this.#subscriptions.delete(key);
    this.send({ type: "unsubscribed", channel, sub, code, cursor: cursor === "" ? null : cursor });
  }

  /** It is this visitor's from now on. Throws a 429 problem, and stays the one before's, when this one has too many connections. */
  renew(visitor: Visitor): void {
    this.#seat.moveTo(visitorKey(visitor));
    this.visitor = visitor;
    this.#noticeEndsAt = 0;
  }

  leave(): void {
    this.onLeave();
  }

  override tick(now: number, isBeat: boolean): void {
    if (!this.isEnding) this.checkPatience(now);
    super.tick(now, isBeat);
  }

  /** A client that has vanished does not close: nothing is heard of it any more, and what is written to it is taken by the kernel, or by a proxy. */
  beat(): void {
    const heardBytes = "bytesRead" in this.socket ? Number(this.socket.bytesRead) : 0;
    this.#unanswered = heardBytes === this.#heardBytes ? this.#unanswered + 1 : 0;
    this.#heardBytes = heardBytes;
    if (this.#unanswered < mostUnanswered) this.socket.write(beatFrames);
    else this.end("SILENT");
  }

  /** An expired token may be followed by a new one, for which there is a moment; a revoked one may not. */
  loseToken(code: "TOKEN_EXPIRED" | "TOKEN_REVOKED"): void {
    const now = Date.now();
    if (code === "TOKEN_REVOKED" || (this.#noticeEndsAt !== 0 && now >= this.#noticeEndsAt)) {
      this.end(code);
    } else if (this.#noticeEndsAt === 0) {
      this.#noticeEndsAt = now + noticeMs;
      this.send({ type: "error", code, message: "The token has expired: send a new one now" });
    }
  }

  /** What was asked before is still answered, so that nobody publishes twice what was published. */
  override drain(retryMs: number): void {
    if (this.isLeaving) return;
    this.#isLeaving = true;
    this.send({ type: "draining", retryMs });
    // Not for ever: an answer may wait for a Valkey that is away.
    const patience = setTimeout(() => this.end("DRAINING"), drainPatienceMs).unref();
    void this.whenAnswered().finally(() => {
      clearTimeout(patience);
      this.end("DRAINING");
    });
  }

  endFeed(source: Source, code: FeedEndCode): void {
    for (const subscription of this.#subscriptions.values()) if (subscription.feed === source) this.release(subscription, code);
  }

  leaveFeeds(): void {
    for (const { feed } of this.#subscriptions.values()) feed.leave(this);
    this.#subscriptions.clear();
  }

  protected sayGoodbye(code: EndCode): void {
    this.#webSocket.close(closeCodes[code], code);
    if (code !== "TOO_MANY_FRAMES") return;
    // Reading on until the client has closed too would be what the flood is after.
    this.#webSocket.pause();
    this.endsAt = Date.now() + floodWordsMs;
  }
}
