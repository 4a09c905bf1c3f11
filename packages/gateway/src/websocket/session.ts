import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import type { Visitor } from "../access/token.ts";
import { LiveConnection, type EndCode, type FeedEndCode } from "../live/connection.ts";
import type { LiveConnections } from "../live/connections.ts";
import type { Feed } from "../live/feed.ts";
import type { Receiver, Source } from "../live/receiver.ts";
import { toTextFrame } from "../live/wire.ts";

const closeCodes: Record<EndCode, number> = {
  DRAINING: 1012,
  SOURCE_CLOSED: 1012,
  INVALID_FRAME: 4400,
  TOKEN_INVALID: 4401,
  TOKEN_EXPIRED: 4401,
  TOKEN_REVOKED: 4403,
  SLOW_RECEIVER: 4408,
  TOO_MANY_FRAMES: 4429,
};

const noticeMs = 2_000;
const beatFrame = toTextFrame('{"type":"beat"}');

/** One WebSocket as the feeds and the sweep see it. */
export class Session extends LiveConnection implements Receiver {
  readonly #webSocket: WebSocket;
  /** Channel name -> the feed that it is subscribed to. */
  readonly feeds = new Map<string, Feed>();
  #noticeEndsAt = 0;

  constructor(connections: LiveConnections, setup: { readonly webSocket: WebSocket; readonly socket: Duplex; readonly visitor: Visitor }) {
    super(connections, setup);
    this.#webSocket = setup.webSocket;
  }

  /** An answer of this connection alone, in its place among the shared frames. */
  send(frame: object): void {
    this.write(toTextFrame(JSON.stringify(frame)));
  }

  renew(visitor: Visitor): void {
    this.visitor = visitor;
    this.#noticeEndsAt = 0;
  }

  beat(): void {
    this.socket.write(beatFrame);
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

  endFeed(feed: Source, code: FeedEndCode): void {
    const [channel] = feed.channels;
    if (!channel || !this.feeds.delete(channel.name)) return;
    const cursor = feed.placeOf(this);
    feed.leave(this);
    this.send({ type: "unsubscribed", channel: channel.name, code, cursor: cursor === "" ? null : cursor });
  }

  leaveFeeds(): void {
    for (const feed of this.feeds.values()) feed.leave(this);
    this.feeds.clear();
  }

  protected sayGoodbye(code: EndCode, retryMs: number): void {
    // Past the cap and the mark of the end, both of which would keep it back.
    if (code === "DRAINING") this.socket.write(toTextFrame(JSON.stringify({ type: "draining", retryMs })));
    this.#webSocket.close(closeCodes[code], code);
  }
}
