import { openPlainQueue } from "../contenders/open-plain-queue.ts";
import type { PlainQueue, PlainQueueOptions } from "../contenders/plain-queue.ts";
import { during } from "../process/headway.ts";
import type { Task } from "../process/stage.ts";
import { Ledger } from "./ledger.ts";

export interface DrainAlternatelyParams {
  readonly contender: string;
  readonly options: PlainQueueOptions;
  /** How many jobs wait on each queue whenever a run on it starts. */
  readonly backlogs: readonly number[];
  readonly jobsPerRun: number;
  readonly runs: number;
  /** Runs before those that count, so that compiled code is measured. */
  readonly leadRuns: number;
  readonly concurrency: number;
}

interface Account {
  readonly added: number;
  readonly delivered: number;
  readonly repeated: number;
  readonly unfinished: number;
}

/**
 * One queue for each backlog. In turns they are filled up to their backlog, and `jobsPerRun` jobs are timed from the
 * first to the last handler call of a worker that is stopped right after. The backlog is all that differs, and a slow
 * moment of the machine hits neighbours alike.
 */
export const drainAlternately: Task<
  DrainAlternatelyParams,
  { readonly jobsPerSecond: readonly (readonly number[])[] },
  readonly Account[]
> = async ({ contender, options, backlogs, jobsPerRun, runs, leadRuns, concurrency }, stage) => {
  const queues = await Promise.all(
    backlogs.map(async (backlog) => {
      const queue = await openPlainQueue(contender, { ...options, name: `${options.name}-${backlog}` });
      return new RefilledQueue(queue, backlog, leadRuns + runs);
    }),
  );
  const alternate = async (times: number): Promise<number[][]> => {
    const jobsPerSecond: number[][] = queues.map(() => []);
    for (let run = 0; run < times; run++) {
      for (const [index, queue] of queues.entries()) jobsPerSecond[index]?.push(await queue.drain(jobsPerRun, concurrency));
    }
    return jobsPerSecond;
  };
  await alternate(leadRuns);
  await stage.measure(async () => ({ jobsPerSecond: await alternate(runs) }));
  return Promise.all(queues.map((queue) => queue.close()));
};

class RefilledQueue {
  readonly #queue: PlainQueue;
  readonly #backlog: number;
  readonly #ledger: Ledger;
  #added = 0;

  constructor(queue: PlainQueue, backlog: number, runs: number) {
    this.#queue = queue;
    this.#backlog = backlog;
    // More than the first filling and all that the runs can take cannot be added.
    this.#ledger = new Ledger(0, backlog * (runs + 1));
  }

  async fill(): Promise<void> {
    const to = this.#backlog + this.#ledger.distinct;
    await this.#queue.addRange({ from: this.#added, to }, 1_000);
    this.#added = to;
  }

  async drain(jobs: number, concurrency: number): Promise<number> {
    await this.fill();
    const first = this.#ledger.distinct;
    let firstAt = 0;
    let lastAt = 0;
    let finish: () => void = () => {};
    const finished = new Promise<void>((resolve) => (finish = resolve));
    const worker = await this.#queue.work((seq) => {
      if (this.#ledger.distinct === first) firstAt = performance.now();
      this.#ledger.record(seq);
      if (this.#ledger.distinct !== first + jobs) return;
      lastAt = performance.now();
      finish();
    }, concurrency);
    await during({ what: "jobs of this run were delivered", of: jobs, done: () => this.#ledger.distinct - first }, () => finished);
    await worker.stop();
    return ((jobs - 1) * 1_000) / (lastAt - firstAt);
  }

  async close(): Promise<Account> {
    const unfinished = await this.#queue.unfinished();
    await this.#queue.close();
    return { added: this.#added, delivered: this.#ledger.distinct, repeated: this.#ledger.repeated, unfinished };
  }
}
