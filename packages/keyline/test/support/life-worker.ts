/*
 * Workers of one queue as a process of its own, for tests of what jobs have a place of their own. Each run of a job is noted where no clock of this process
 * counts: on a plain queue in a list of its group on Valkey, on a transactional one in a row that is committed with the job's end.
 */
import { Valkey } from "iovalkey";
import { Keyline, Snooze, type Job } from "keyline";

interface LifeSettings {
  readonly valkey: string;
  readonly postgres: string;
  readonly prefix: string;
  readonly queue: string;
  readonly transactional: boolean;
  readonly workers: number;
  readonly concurrency: number;
  readonly lease: number;
  /** How many of a hundred attempts fail, and how many ask for more time. */
  readonly failing: number;
  /** Milliseconds of work, at the most. */
  readonly work: number;
}

interface Data {
  readonly n: number;
}

const settings = JSON.parse(process.argv[2] ?? "{}") as LifeSettings;
const keyline = new Keyline({ valkey: settings.valkey, postgres: settings.postgres, prefix: settings.prefix });
const valkey = new Valkey(settings.valkey.replace("valkey:", "redis:"), { enableAutoPipelining: true, maxRetriesPerRequest: null });
valkey.on("error", () => undefined);
const options = { lease: settings.lease, maxAttempts: 1_000, backoff: () => 5 };

async function labour({ attempt, signal }: Job<Data>): Promise<void> {
  if (settings.work > 0) await new Promise((resolve) => setTimeout(resolve, Math.random() * settings.work));
  signal.throwIfAborted();
  const chance = Math.random() * 100;
  if (attempt < 5 && chance < settings.failing) throw chance < settings.failing / 2 ? new Snooze(5) : new Error("once more");
}

for (let n = 0; n < settings.workers; n++) {
  if (settings.transactional) {
    const queue = keyline.queue<Data>(settings.queue, { ...options, transactional: true });
    queue.work(
      async (job, { settle }) => {
        await labour(job);
        await settle(async (tx) => {
          await tx.query("INSERT INTO life (queue, job_group, n) VALUES ($1, $2, $3)", [job.queue, job.group ?? "", job.data.n]);
        });
      },
      { concurrency: settings.concurrency },
    );
  } else {
    const queue = keyline.queue<Data>(settings.queue, options);
    queue.work(
      async (job) => {
        await labour(job);
        await valkey.rpush(`life:${job.queue}:${job.group ?? ""}`, job.data.n);
      },
      { concurrency: settings.concurrency },
    );
  }
}
process.on("SIGTERM", () => {
  void keyline.close().then(() => process.exit(0));
});
process.stdout.write(`${JSON.stringify({ ready: true })}\n`);
