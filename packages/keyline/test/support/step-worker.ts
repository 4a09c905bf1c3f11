/*
 * A worker whose jobs go in steps, as a process of its own, for tests that kill it. Each step writes a row and returns a number that nobody else has; what a run of
 * the handler is given for it is printed. So the rows and all that was printed have to agree.
 */
import { Keyline, Snooze } from "keyline";

interface StepSettings {
  readonly valkey: string;
  readonly postgres: string;
  readonly prefix: string;
  readonly queue: string;
  readonly concurrency: number;
  readonly lease: number;
  readonly steps: number;
  /** How many of a hundred steps are followed by a failure or a Snooze. */
  readonly failing: number;
  /** Milliseconds of work in a step, at the most. */
  readonly work: number;
  /** Whether there is a sleep behind each step, and a wait for a signal behind the last one. */
  readonly pauses?: boolean;
}

const settings = JSON.parse(process.argv[2] ?? "{}") as StepSettings;
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const rest = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, Math.random() * ms));

const keyline = new Keyline({ valkey: settings.valkey, postgres: settings.postgres, prefix: settings.prefix });
const queue = keyline.queue<{ readonly n: number }>(settings.queue, {
  transactional: true,
  lease: settings.lease,
  maxAttempts: 1_000,
  backoff: () => 5,
});

const worker = queue.work(
  async (job, { settle, step }) => {
    const { n } = job.data;
    let sum = 0;
    for (let number = 0; number < settings.steps; number++) {
      const value = await step(`s${number}`, async (tx) => {
        const drawn = Math.floor(Math.random() * 2 ** 40);
        say({ calls: n, step: number });
        await tx.query("INSERT INTO step_effects (queue, n, step, value) VALUES ($1, $2, $3, $4)", [queue.name, n, number, drawn]);
        if (settings.work > 0) await rest(settings.work);
        return drawn;
      });
      say({ n, step: number, value });
      sum += value;
      const chance = Math.random() * 100;
      if (chance < settings.failing) throw chance < settings.failing / 2 ? new Snooze(5) : new Error("once more");
      if (settings.pauses) await job.sleep(`nap ${number}`, 20 * number);
    }
    if (settings.pauses) say({ n, signal: await job.signalled("go") });
    await settle(async (tx) => {
      await tx.query("INSERT INTO step_effects (queue, n, step, value) VALUES ($1, $2, $3, $4)", [queue.name, n, -1, sum]);
    });
    say({ ended: n });
  },
  { concurrency: settings.concurrency },
);
worker.on("error", () => undefined);
process.on("SIGTERM", () => {
  void keyline.close().then(() => process.exit(0));
});
say({ ready: true });
