import { Discard, type QueueOptions } from "keyline";
import { openEither, type EitherQueue } from "./either-queue.ts";
import { eventually, type Stage } from "./stage.ts";

/** A job that dies of what it says, as long as there is a worker. */
export interface Ill {
  readonly n: number;
  readonly error: string;
}

export interface Ward {
  readonly queue: EitherQueue<Ill>;
  /** Resolves when they are dead, in this order. Their ids are `job-` and their number. */
  die(jobs: readonly Ill[]): Promise<void>;
  /** How many have died. */
  deaths(): number;
  /** There is no worker any more. */
  close(): Promise<void>;
}

let wards = 0;

export function openWard(
  stage: Stage,
  rules: Pick<QueueOptions, "deadLetters"> & { readonly transactional: boolean; readonly concurrency?: number },
): Ward {
  const { concurrency = 1, ...options } = rules;
  const queue = openEither<Ill>(stage.keyline(), `ward-${wards++}`, options);
  let deaths = 0;
  const worker = queue.work(
    (job) => {
      throw new Discard(job.data.error);
    },
    { concurrency },
  );
  worker.on("dead", () => deaths++);
  return {
    queue,
    async die(jobs) {
      for (const job of jobs) {
        const before = deaths;
        await queue.add(job, { id: `job-${job.n}` });
        await eventually("it is dead", () => deaths > before);
      }
    },
    deaths: () => deaths,
    close: () => worker.stop(),
  };
}

export const ill = (n: number, error = "no"): Ill => ({ n, error });
