import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Keyline } from "keyline";
import { collectMetrics } from "keyline/metrics";
import { Registry } from "prom-client";

/** Tells Prometheus what this process does, on a free port for this machine alone. How queues and stores stand the site's own `/metrics` says: told by several, a sum would count them several times. */
export async function serveMetrics(keyline: Keyline): Promise<{ readonly port: number; close(): void }> {
  const register = collectMetrics(keyline, { register: new Registry(), state: false });
  const server = createServer((request, response) => {
    if (request.url !== "/metrics") return response.writeHead(404).end();
    register.metrics().then(
      (text) => response.writeHead(200, { "content-type": register.contentType }).end(text),
      () => response.writeHead(500).end(),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  // It does not keep the process running.
  server.unref();
  return { port: (server.address() as AddressInfo).port, close: () => end(server) };
}

function end(server: Server): void {
  server.close();
  server.closeAllConnections();
}
