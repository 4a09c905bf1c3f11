/* A worker as a process of its own whose jobs say how each of their attempts ends: "throw", "die" (the process kills itself) or "end". */
import { Keyline } from "keyline";
import { openEither } from "./either-queue.ts";

const settings = JSON.parse(process.argv[2] ?? "{}") as {
  readonly valkey: string;
  readonly postgres: string;
  readonly prefix: string;
  readonly queue: string;
  readonly transactional: boolean;
};

const keyline = new Keyline({ valkey: settings.valkey, postgres: settings.postgres, prefix: settings.prefix });
const queue = openEither<readonly string[]>(keyline, settings.queue, {
  transactional: settings.transactional,
  lease: 2_000,
  maxAttempts: 4,
  backoff: { type: "fixed", delay: 10, jitter: 0 },
});

const worker = queue.work((job) => {
  const end = job.data[job.attempt - 1];
  if (end === "die") process.kill(process.pid, "SIGKILL");
  if (end === "throw") throw new RangeError(`attempt ${job.attempt} failed`);
});
worker.on("error", () => undefined);
process.stdout.write(`${JSON.stringify({ ready: true })}\n`);
