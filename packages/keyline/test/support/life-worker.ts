/*
 * Workers of one queue as a process of its own, for tests of what jobs have a place of their own. Each run of a job is noted where no clock of this process
 * counts: on a plain queue in a list of its group on Valkey, on a transactional one in a row that is committed with the job's end. With `history` it prints when it
 * took what, and when that ran.
 */
import { Valkey } from "iovalkey";
import { Keyline, Snooze, type Job, type Worker } from "keyline";
import { moment } from "../faults/places/history.ts";
import { watchTakes } from "./take-watch.ts";

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
  readonly history?: boolean;
}

interface Data {
  readonly n: number;
}

const settings = JSON.parse(process.argv[2] ?? "{}") as LifeSettings;
const keyline = new Keyline({ valkey: settings.valkey, postgres: settings.postgres, prefix: settings.prefix });
const valkey = new Valkey(settings.valkey.replace("valkey:", "redis:"), { enableAutoPipelining: true, maxRetriesPerRequest: null });
valkey.on("error", () => undefined);
const options = { lease: settings.lease, maxAttempts: 1_000, backoff: () => 5 };
const note = (line: object): void => void (settings.history && process.stdout.write(`${JSON.stringify(line)}\n`));
if (settings.history) watchTakes(note);

/** The group, or which schedule's tick it is, and its number there. */
function placeOf({ group, schedule, data }: Job<Data>): [group: string, n: number] {
  return schedule ? [`tick:${schedule.name}:${data.n}`, schedule.at] : [group ?? "", data.n];
}

async function labour(job: Job<Data>, end: () => Promise<unknown>): Promise<void> {
  const { id, attempt, group, signal } = job;
  note({ what: "began", id, group, at: moment() });
  try {
    if (settings.work > 0) await new Promise((resolve) => setTimeout(resolve, Math.random() * settings.work));
    signal.throwIfAborted();
    const chance = Math.random() * 100;
    if (attempt < 5 && chance < settings.failing) throw chance < settings.failing / 2 ? new Snooze(5) : new Error("once more");
    await end();
  } finally {
    note({ what: "ended", id, at: moment() });
  }
}

function start(): Worker<Data> {
  const { concurrency } = settings;
  if (settings.transactional) {
    return keyline.queue<Data>(settings.queue, { ...options, transactional: true }).work(
      (job, { settle }) =>
        labour(job, () =>
          settle(async (tx) => {
            await tx.query("INSERT INTO life (queue, job_group, n) VALUES ($1, $2, $3)", [job.queue, ...placeOf(job)]);
          }),
        ),
      { concurrency },
    );
  }
  return keyline.queue<Data>(settings.queue, options).work(
    (job) => {
      const [place, n] = placeOf(job);
      return labour(job, () => valkey.rpush(`life:${job.queue}:${place}`, n));
    },
    { concurrency },
  );
}

for (let n = 0; n < settings.workers; n++) start().on("error", () => note({ what: "lost", at: moment() }));
process.on("SIGTERM", () => {
  void keyline.close().then(() => process.exit(0));
});
process.stdout.write(`${JSON.stringify({ ready: true })}\n`);
