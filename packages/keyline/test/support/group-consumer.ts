/*
 * A consumer of a group as a process of its own, for tests that kill it. It prints a line of JSON for what happens, and stops gracefully at
 * SIGTERM.
 */
import { openGroups } from "./group-stage.ts";

const settings = JSON.parse(process.argv[2] ?? "{}") as {
  readonly valkey: string;
  readonly prefix: string;
  readonly stream: string;
  readonly concurrency: number;
  readonly lease: number;
  /** Milliseconds an entry takes. */
  readonly work: number;
  /** The payload's `n` at which the process kills itself. */
  readonly poison?: number;
};

const print = (line: object): void => void process.stdout.write(`${JSON.stringify({ pid: process.pid, ...line })}\n`);
const site = openGroups({ valkeyUrl: settings.valkey, prefix: settings.prefix }, settings.stream);
const { concurrency, lease } = settings;
const consumer = site.groups.consume<{ readonly n: number }>(
  "g",
  async ({ data, attempt }) => {
    if (data.n === settings.poison) process.kill(process.pid, "SIGKILL");
    print({ started: data.n, attempt });
    if (settings.work > 0) await new Promise((resolve) => setTimeout(resolve, settings.work));
  },
  { concurrency, lease, maxAttempts: settings.poison === undefined ? 10 : 3 },
);
consumer.on("completed", ({ data }) => print({ completed: data.n }));
consumer.on("error", (error) => print({ error: "code" in error ? error.code : error.message }));
process.on("SIGTERM", () => {
  void site.close().then(() => process.exit(0));
});
print({ ready: true });
