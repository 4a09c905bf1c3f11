/*
 * A worker as a process of its own, for tests that kill it. It writes one row into `effects` for each job it settles, prints a line of
 * JSON for what happens, and stops gracefully at SIGTERM.
 */
import { Keyline, type Job } from "keyline";

const settings = JSON.parse(process.argv[2] ?? "{}") as {
  readonly valkey: string;
  readonly postgres: string;
  readonly prefix: string;
  readonly queue: string;
  readonly concurrency: number;
  readonly lease: number;
  /** Milliseconds of work before the settle. */
  readonly work: number;
  readonly batch: boolean;
  /** The payload's `n` at which the process kills itself. */
  readonly poison?: number;
};

const print = (line: object): void => void process.stdout.write(`${JSON.stringify({ pid: process.pid, ...line })}\n`);
const log = (details: object, message: string): void => print({ log: message, ...details });
const keyline = new Keyline({
  valkey: settings.valkey,
  postgres: settings.postgres,
  prefix: settings.prefix,
  logger: { debug: () => undefined, info: log, warn: log, error: log },
});
const queue = keyline.queue<{ readonly n: number }>(settings.queue, {
  transactional: true,
  lease: settings.lease,
  maxAttempts: settings.poison === undefined ? 1_000 : 3,
});

async function labour(job: Job<{ readonly n: number }>): Promise<void> {
  if (job.data.n === settings.poison) process.kill(process.pid, "SIGKILL");
  print({ started: job.data.n, attempt: job.attempt });
  if (settings.work > 0) await new Promise((resolve) => setTimeout(resolve, settings.work));
}

const worker = settings.batch
  ? queue.workBatch(
      async (jobs, { settle }) => {
        await settle(jobs, async (tx, owed) => {
          const numbers = owed.map((job) => job.data.n);
          await tx.query("INSERT INTO effects (n, pid) SELECT n, $2 FROM unnest($1::integer[]) AS n", [numbers, process.pid]);
        });
      },
      { size: settings.concurrency },
    )
  : queue.work(
      async (job, { settle }) => {
        await labour(job);
        const isOurs = await settle(async (tx) => {
          await tx.query("INSERT INTO effects (n, pid) VALUES ($1, $2)", [job.data.n, process.pid]);
        });
        print({ settled: job.data.n, isOurs });
      },
      { concurrency: settings.concurrency },
    );
worker.on("error", (error) => print({ error: "code" in error ? error.code : error.message, message: error.message }));
process.on("SIGTERM", () => {
  void keyline.close().then(() => process.exit(0));
});
print({ ready: true });
