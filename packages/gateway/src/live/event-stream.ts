import { validateHeaderValue } from "node:http";
import type { Duplex } from "node:stream";
import type { Visitor } from "../access/token.ts";
import type { Seat } from "../limits/connection-limit.ts";
import type { LiveConnections } from "./connections.ts";
import { LiveConnection, type EndCode, type FeedEndCode } from "./connection.ts";
import type { Receiver, Source } from "./receiver.ts";
import { idLine } from "./wire.ts";

const heartbeat = Buffer.from(":\n\n");
// Clients whose streams break at the same moment must not return at the same moment.
const returnMs = { least: 1_000, spread: 2_000 };
// These do not break at the same moment.
const renewMs = { least: 100, spread: 400 };
const shortestPartOfLife = 0.75;

type Headers = Readonly<Record<string, string | number | readonly string[] | undefined>>;

interface Beginning {
  readonly headers: Headers;
  readonly place: string;
  /** What a client has to know before it gets anything. */
  readonly gaps: string;
}

/**
 * Server-sent events to one client. It cannot answer, so nobody can tell a client that has vanished from one that listens: what is written to it
 * is taken by the kernel, or by a proxy, for a quarter of an hour or longer. So a stream has an end after which a client that is there comes back.
 */
export class EventStream extends LiveConnection implements Receiver {
  readonly #seat: Seat;
  readonly #renewAt = Date.now() + this.connections.eventStreamMs * (shortestPartOfLife + Math.random() * (1 - shortestPartOfLife));
  #onLeave: ((stream: EventStream) => void) | undefined;

  constructor(connections: LiveConnections, setup: { readonly socket: Duplex; readonly visitor: Visitor; readonly seat: Seat }) {
    super(connections, setup);
    this.#seat = setup.seat;
  }

  /**
   * Sends the head of the answer and what a client needs to resume. All goes to the socket itself: the body ends with the connection and has no
   * chunks, so that the same bytes do for every client; the head travels with it, and Node's answer keeps no copy.
   */
  begin(onLeave: (stream: EventStream) => void, { headers, place, gaps }: Beginning): void {
    this.#onLeave = onLeave;
    const head = headOf({
      ...headers,
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      // For proxies that would gather the events first.
      "x-accel-buffering": "no",
      date: new Date().toUTCString(),
      connection: "close",
    });
    const retryMs = returnMs.least + Math.floor(Math.random() * returnMs.spread);
    this.socket.write(Buffer.concat([Buffer.from(head, "latin1"), Buffer.from(`retry: ${retryMs}\n${idLine(place)}\n${gaps}`)]));
  }

  leave(): void {
    this.#seat.leave();
    this.#onLeave?.(this);
  }

  beat(): void {
    if (Date.now() < this.#renewAt) this.socket.write(heartbeat);
    else this.end("RENEW", renewMs.least + Math.floor(Math.random() * renewMs.spread));
  }

  loseToken(code: "TOKEN_EXPIRED" | "TOKEN_REVOKED"): void {
    this.end(code);
  }

  endFeed(_source: Source, code: FeedEndCode): void {
    this.end(code);
  }

  protected sayGoodbye(code: EndCode, retryMs: number): void {
    const retry = retryMs > 0 ? `retry: ${retryMs}\n` : "";
    this.socket.end(`${retry}event: end\ndata: {"code":"${code}"}\n\n`);
  }
}

function headOf(headers: Headers): string {
  let head = "HTTP/1.1 200 OK\r\n";
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || name === "transfer-encoding" || name === "content-length") continue;
    for (const each of typeof value === "object" ? value : [String(value)]) {
      // Those that an application adds to all of its answers are not this package's word.
      validateHeaderValue(name, each);
      head += `${name}: ${each}\r\n`;
    }
  }
  return `${head}\r\n`;
}
