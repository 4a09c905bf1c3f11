/*
 * A server that closes waits for its connections. Node ends those that wait for their next request, and counts one on which nothing was asked
 * yet among the busy ones, for a minute: browsers and Node's fetch open such connections ahead.
 */
import type { Server } from "node:http";
import type { Socket } from "node:net";

const lastAnswersMs = 3_000;

/** Ends what a server would wait for when it closes. */
export class ConnectionCloser {
  readonly #server: Server;
  readonly #unasked = new Set<Socket>();
  #timer: NodeJS.Timeout | undefined;

  constructor(server: Server) {
    this.#server = server;
    const unasked = this.#unasked;
    function forget(this: Socket): void {
      unasked.delete(this);
    }
    const noteAsked = ({ socket }: { readonly socket: Socket }): void => {
      if (unasked.delete(socket)) socket.off("close", forget);
    };
    server.on("connection", (socket) => {
      unasked.add(socket);
      socket.on("close", forget);
    });
    server.on("request", noteAsked);
    server.on("upgrade", noteAsked);
  }

  /** The server is about to close: nobody should send another request on a free connection. */
  readonly begin = (): void => this.#server.closeIdleConnections();

  /** The server closes: what was asked has a moment to be answered. */
  readonly finish = (): void => {
    for (const socket of this.#unasked) socket.destroy();
    this.#timer = setTimeout(() => this.#server.closeAllConnections(), lastAnswersMs);
  };

  /** The server has closed. */
  stop(): void {
    clearTimeout(this.#timer);
  }
}
