import type { PlainQueueOptions } from "../contenders/plain-queue.ts";
import { costsPerJob, runMetered, type Metered } from "../process/metered.ts";
import type { Bench } from "../suite/bench.ts";
import type { Measurement } from "../suite/case.ts";
import { expectExactly, expectRegular } from "./delivery.ts";

/** Bytes of a job's data as JSON, where a case does not say otherwise. */
export const payloadBytes = 200;
export const inFlight = 1_000;

/** The share of the jobs that pass before the clock starts. */
export const leadShare = 0.2;

/** How many jobs keep each contender busy for three seconds or so on a small machine, so that all are timed alike. */
export type JobsByContender = Readonly<Record<string, number>>;

export function jobsFor(contender: string, jobs: JobsByContender, bench: Bench, quick: number): number {
  return bench.size(jobs[contender] ?? 0, quick);
}

export interface PlainRun {
  readonly contender: string;
  readonly options: PlainQueueOptions;
  readonly jobs: number;
}

/** Adds the jobs without looking at a meter. */
export async function preload(run: PlainRun, bench: Bench): Promise<void> {
  const producer = bench.start("add", { ...run, inFlight, lead: 0 });
  await producer.ready();
  await producer.run();
  await producer.dismiss();
}

/** Processes jobs that wait already and checks that each of them came once, and that none is left. */
export async function drain(
  run: PlainRun,
  how: { readonly concurrency: number; readonly lead: number; readonly groups?: number },
  bench: Bench,
): Promise<Metered<"drain">> {
  const drained = await runMetered(bench.start("drain", { ...run, ...how }), bench);
  const { distinct, repeated, unfinished } = drained.aftermath;
  expectExactly("distinct jobs delivered", run.jobs, distinct);
  expectExactly("jobs delivered twice", 0, repeated);
  expectExactly("jobs left behind", 0, unfinished);
  expectRegular(drained.aftermath);
  return drained;
}

/** Throughput of a worker that finds all its jobs waiting. */
export async function processPreloaded(run: PlainRun, concurrency: number, bench: Bench): Promise<Measurement> {
  await preload(run, bench);
  return throughputOf(await drain(run, { concurrency, lead: Math.round(run.jobs * leadShare) }, bench));
}

export function throughputOf(drained: Metered<"drain">): Measurement {
  const { timedJobs, elapsedMs } = drained.result;
  return { figures: { throughput: (timedJobs * 1_000) / elapsedMs }, costs: costsPerJob(drained, timedJobs) };
}
