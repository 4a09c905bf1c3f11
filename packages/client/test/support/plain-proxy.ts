import { once } from "node:events";
import { createServer, request, type IncomingMessage } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import { onTestFinished } from "vitest";

/** A proxy that passes on requests and answers, and upgrades only when it is told to, as nginx does with `proxy_pass` alone. */
export class PlainProxy {
  readonly url: string;
  passesUpgrades = false;
  /** Requests for an upgrade that came. */
  upgrades = 0;
  readonly #sockets: Set<Socket>;

  static async start(target: string): Promise<PlainProxy> {
    const { hostname, port } = new URL(target);
    const sockets = new Set<Socket>();
    const pass = (incoming: IncomingMessage): Record<string, string | string[] | undefined> => {
      const { upgrade: _, connection: __, ...headers } = incoming.headers;
      return headers;
    };
    const server = createServer(
      {
        shouldUpgradeCallback: () => {
          proxy.upgrades++;
          return proxy.passesUpgrades;
        },
      },
      (incoming, outgoing) => {
        const { method, url: path } = incoming;
        const onward = request({ hostname, port, method, path, headers: pass(incoming), agent: false }, (answer) => {
          outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
          outgoing.flushHeaders();
          answer.pipe(outgoing);
          answer.on("error", () => outgoing.destroy());
        });
        onward.on("error", () => {
          if (outgoing.headersSent) outgoing.destroy();
          else outgoing.writeHead(502, { "content-type": "text/html" }).end("<h1>Bad Gateway</h1>");
        });
        outgoing.on("close", () => onward.destroy());
        incoming.pipe(onward);
      },
    );
    server.on("upgrade", (incoming, socket, head) => {
      const onward = connect(Number(port), hostname);
      const lines = incoming.rawHeaders.flatMap((name, index, all) => (index % 2 === 0 ? [`${name}: ${all[index + 1]}`] : []));
      onward.write([`${incoming.method} ${incoming.url} HTTP/1.1`, ...lines, "", ""].join("\r\n"));
      onward.write(head);
      onward.pipe(socket).pipe(onward);
      onward.on("error", () => socket.destroy());
      socket.on("error", () => onward.destroy());
    });
    server.on("connection", (socket: Socket) => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const proxy = new PlainProxy(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, sockets);
    onTestFinished(() => {
      proxy.cut();
      server.close();
    });
    return proxy;
  }

  private constructor(url: string, sockets: Set<Socket>) {
    this.url = url;
    this.#sockets = sockets;
  }

  /** Ends all connections of clients. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}
