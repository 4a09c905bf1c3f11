/*
 * A worker with an isolated handler as a process of its own, for tests that kill it, and for those in which memory runs out. It prints what its worker tells.
 */
import { Keyline } from "keyline";

const settings = JSON.parse(process.argv[2] ?? "{}") as {
  readonly valkey: string;
  readonly prefix: string;
  readonly queue: string;
  readonly isolate: "thread" | "process";
  readonly handler: string;
};

const print = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const keyline = new Keyline({ valkey: settings.valkey, prefix: settings.prefix });
const rules = { lease: 2_000, maxAttempts: 3, keepResult: 60_000, backoff: () => 10 };
const queue = keyline.queue(settings.queue, rules);
const worker = queue.work(new URL(settings.handler), { isolate: settings.isolate, concurrency: 4 });
worker.on("completed", ({ id, attempt }) => print({ completed: id, attempt }));
worker.on("retried", ({ id }, error) => print({ retried: id, code: (error as { code?: string }).code, message: error.message }));
worker.on("error", (error) => print({ error: error.message }));
process.on("SIGTERM", () => {
  void keyline.close().then(() => process.exit(0));
});
