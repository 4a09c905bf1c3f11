/* A worker of jobs that note when they are aborted, as a process of its own: in its only thread, or isolated. */
import { Keyline, type Job } from "keyline";
import { handler, type CancelledData } from "../queue/isolate/handlers/cancelled.ts";
import { openEither } from "./either-queue.ts";

const settings = JSON.parse(process.argv[2] ?? "{}") as {
  readonly valkey: string;
  readonly postgres: string;
  readonly prefix: string;
  readonly queue: string;
  readonly transactional: boolean;
  readonly isolate: "thread" | "process" | undefined;
};

const keyline = new Keyline({ valkey: settings.valkey, postgres: settings.postgres, prefix: settings.prefix });
const queue = openEither<CancelledData>(keyline, settings.queue, { transactional: settings.transactional });
const file = new URL("../queue/isolate/handlers/cancelled.ts", import.meta.url);
const worker = settings.isolate ? queue.work(file, { isolate: settings.isolate }) : queue.work((job: Job<CancelledData>) => handler(job));
worker.on("error", () => undefined);
process.on("SIGTERM", () => {
  void keyline.close().then(() => process.exit(0));
});
