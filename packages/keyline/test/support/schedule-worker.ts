/*
 * A process that declares a schedule, and works on it, for tests that kill it. Its clock may be wrong. It prints a line for each run; on a transactional
 * queue it writes a row into `effects` for each tick that it settles.
 */
import type { Job, Queue } from "keyline";

const settings = JSON.parse(process.argv[2] ?? "{}") as {
  readonly valkey: string;
  readonly postgres: string;
  readonly prefix: string;
  readonly queue: string;
  readonly transactional: boolean;
  readonly lease: number;
  readonly declares: boolean;
  readonly every: number;
  readonly limit: number;
  /** Milliseconds by which its clock is fast. */
  readonly clock: number;
};

const RightDate = Date;
globalThis.Date = class WrongDate extends RightDate {
  constructor(...values: [] | [value: number | string | Date]) {
    if (values.length === 0) super(RightDate.now() + settings.clock);
    else super(...values);
  }

  static override now(): number {
    return RightDate.now() + settings.clock;
  }
} as DateConstructor;

const { Keyline } = await import("keyline");
const print = (line: object): void => void process.stdout.write(`${JSON.stringify({ pid: process.pid, ...line })}\n`);
const log = (details: object, message: string): void => print({ log: message, ...details });
const keyline = new Keyline({
  valkey: settings.valkey,
  postgres: settings.postgres,
  prefix: settings.prefix,
  logger: { debug: () => undefined, info: log, warn: log, error: log },
});
const { queue: name, transactional, every, limit, declares } = settings;
const rules = { lease: settings.lease, maxAttempts: 1_000 };
const run = ({ id, attempt, schedule, data }: Job<number>): void => print({ id, attempt, data, at: schedule?.at, ran: RightDate.now() });

async function declare(queue: Pick<Queue<number>, "schedule">): Promise<void> {
  for (let isDeclared = !declares; !isDeclared;) {
    try {
      await queue.schedule("tick", { every, limit, missed: "all", data: 1 });
      isDeclared = true;
    } catch (error) {
      print({ refused: String(error) });
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

if (transactional) {
  const queue = keyline.queue<number>(name, { transactional: true, ...rules });
  const worker = queue.work(async (job, { settle }) => {
    run(job);
    await settle(async (tx) => void (await tx.query("INSERT INTO effects (at) VALUES ($1)", [job.schedule?.at])));
  });
  worker.on("error", () => undefined);
  await declare(queue);
} else {
  const queue = keyline.queue<number>(name, rules);
  queue.work(run).on("error", () => undefined);
  await declare(queue);
}
print({ declared: true });
