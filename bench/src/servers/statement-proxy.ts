import { createServer, connect, type Server, type Socket } from "node:net";

const query = "Q".charCodeAt(0);
const execute = "E".charCodeAt(0);

/**
 * Stands between a client and PostgreSQL and counts statements: simple queries and Execute messages of the protocol
 * (https://www.postgresql.org/docs/current/protocol-message-formats.html). The server's own statistics are a second
 * or more late, too late to count a handful of statements in a few seconds.
 */
export class StatementProxy {
  readonly url: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #statements = 0;

  private constructor(server: Server, port: number, target: URL) {
    this.#server = server;
    const url = new URL(target);
    url.hostname = "127.0.0.1";
    url.port = String(port);
    this.url = url.href;
    server.on("connection", (client) => this.#relay(client, target));
  }

  static async start(target: string): Promise<StatementProxy> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("The proxy got no port.");
    return new StatementProxy(server, address.port, new URL(target));
  }

  /** Statements so far. */
  get statements(): number {
    return this.#statements;
  }

  stop(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  #relay(client: Socket, target: URL): void {
    const server = connect(Number(target.port || 5432), target.hostname);
    const count = countStatements(() => this.#statements++);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(from);
      from.setNoDelay(true);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        to.destroy();
        this.#sockets.delete(from);
      });
      from.pipe(to);
    }
    client.on("data", count);
  }
}

/** Walks over the messages of one connection. Only the first, the startup message, has no type byte before its length. */
function countStatements(onStatement: () => void): (chunk: Buffer) => void {
  let pending: Buffer = Buffer.alloc(0);
  let hasStarted = false;
  return (chunk) => {
    pending = Buffer.concat([pending, chunk]);
    for (;;) {
      const header = hasStarted ? 5 : 4;
      if (pending.length < header) return;
      const size = pending.readInt32BE(header - 4) + header - 4;
      if (pending.length < size) return;
      const type = pending[0];
      if (hasStarted && (type === query || type === execute)) onStatement();
      hasStarted = true;
      pending = pending.subarray(size);
    }
  };
}
