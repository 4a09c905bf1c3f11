import type { ServerResponse } from "node:http";
import { LiveConnection, type EndCode, type FeedEndCode } from "./connection.ts";
import type { Receiver, Source } from "./receiver.ts";
import { idLine } from "./wire.ts";

const heartbeat = Buffer.from(":\n\n");
// Clients whose streams break at the same moment must not return at the same moment.
const returnMs = { least: 1_000, spread: 2_000 };
// These do not break at the same moment.
const renewMs = { least: 100, spread: 400 };
const shortestPartOfLife = 0.75;

interface Beginning {
  readonly headers: Record<string, string | number | string[] | undefined>;
  readonly place: string;
  /** What a client has to know before it gets anything. */
  readonly gaps: string;
}

/**
 * Server-sent events to one client. It cannot answer, so nobody can tell a client that has vanished from one that listens: what is written to it
 * is taken by the kernel, or by a proxy, for a quarter of an hour or longer. So a stream has an end after which a client that is there comes back.
 */
export class EventStream extends LiveConnection implements Receiver {
  readonly #renewAt = Date.now() + this.connections.eventStreamMs * (shortestPartOfLife + Math.random() * (1 - shortestPartOfLife));

  /**
   * Sends the head of the answer and what a client needs to resume. Frames go to the socket itself: the body ends with the connection and
   * has no chunks, so that the same bytes do for every client.
   */
  begin(response: ServerResponse, { headers, place, gaps }: Beginning): void {
    response.removeHeader("transfer-encoding");
    response.writeHead(200, {
      ...headers,
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      // For proxies that would gather the events first.
      "x-accel-buffering": "no",
      connection: "close",
    });
    response.flushHeaders();
    const retryMs = returnMs.least + Math.floor(Math.random() * returnMs.spread);
    this.socket.write(`retry: ${retryMs}\n${idLine(place)}\n${gaps}`);
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
