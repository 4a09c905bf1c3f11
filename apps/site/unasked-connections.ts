import type { Server } from "node:http";
import type { Socket } from "node:net";

/**
 * The connections of a server on which nothing was asked yet: browsers open some ahead. A server that closes counts them among the busy
 * ones, and would wait a minute for them.
 */
export class UnaskedConnections {
  readonly #sockets = new Set<Socket>();
  #isClosing = false;

  constructor(server: Server) {
    const noteAsked = ({ socket }: { readonly socket: Socket }): void => void this.#sockets.delete(socket);
    server.on("connection", (socket) => {
      if (this.#isClosing) {
        socket.destroy();
        return;
      }
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    server.on("request", noteAsked);
    server.on("upgrade", noteAsked);
  }

  /** Ends them, and those that are opened from now on. */
  end(): void {
    this.#isClosing = true;
    for (const socket of this.#sockets) socket.destroy();
  }
}
