/*
 * A worker as a process of its own that tells Prometheus of itself, for tests that stop and kill it. Jobs whose number is 0 are never finished.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Keyline } from "keyline";
import { collectMetrics } from "keyline/metrics";

const settings = JSON.parse(process.argv[2] ?? "{}") as {
  readonly valkey: string;
  readonly prefix: string;
  readonly queue: string;
  readonly lease: number;
};

const print = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const keyline = new Keyline({ valkey: settings.valkey, prefix: settings.prefix });
const queue = keyline.queue<number>(settings.queue, { lease: settings.lease });
const worker = queue.work(
  async ({ data, signal }) => {
    print({ started: data });
    if (data === 0) await new Promise((resolve) => signal.addEventListener("abort", resolve));
  },
  { concurrency: 10 },
);
worker.on("error", () => undefined);

const register = collectMetrics(keyline, { state: false });
const server = createServer((_request, response) => {
  void register.metrics().then((text) => response.setHeader("content-type", register.contentType).end(text));
});
server.listen(0, "127.0.0.1", () => print({ port: (server.address() as AddressInfo).port }));
process.on("SIGTERM", () => {
  server.close();
  void worker.stop().then(() => keyline.close());
});
