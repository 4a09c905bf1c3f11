import { Contender } from "../process/contender.ts";
import { costsPerJob, runMetered, type Metered } from "../process/metered.ts";
import type { Bench } from "../suite/bench.ts";
import type { Measurement } from "../suite/case.ts";
import { expectExactly } from "./delivery.ts";

/** Bytes of a job's data as JSON, where a case does not say otherwise. */
export const payloadBytes = 200;
export const inFlight = 1_000;

/** How many jobs keep each contender busy for two to three seconds on a small machine, so that all are timed alike. */
export type JobsByContender = Readonly<Record<string, number>>;

export function jobsFor(contender: string, jobs: JobsByContender, bench: Bench, quick: number): number {
  return bench.size(jobs[contender] ?? 0, quick);
}

export interface PlainRun {
  readonly contender: string;
  readonly options: { readonly valkey: string; readonly name: string; readonly payloadBytes: number };
  readonly jobs: number;
}

export function startAdd(run: PlainRun, bench: Bench, warmUpJobs = 0): Contender<"add"> {
  return Contender.start("add", { ...run, inFlight, warmUpJobs: bench.size(warmUpJobs, Math.min(warmUpJobs, 50)) });
}

/** Adds the jobs without looking at a meter. */
export async function preload(run: PlainRun, bench: Bench): Promise<void> {
  const producer = startAdd(run, bench);
  await producer.ready();
  await producer.run();
  await producer.dismiss();
}

/** Processes jobs that wait already and checks that each of them came, and that none is left. */
export async function runDrain(contender: Contender<"drain">, run: PlainRun, bench: Bench): Promise<Metered<"drain">> {
  const drained = await runMetered(contender, bench);
  expectExactly("distinct jobs delivered", run.jobs, drained.result.distinct);
  expectExactly("jobs delivered twice", 0, drained.result.repeated);
  expectExactly("jobs left behind", 0, drained.aftermath.unfinished);
  return drained;
}

/** Throughput of a worker that finds all its jobs waiting. */
export async function processPreloaded(run: PlainRun, concurrency: number, bench: Bench): Promise<Measurement> {
  const warmUpJobs = bench.size(concurrency === 1 ? 5_000 : 20_000, 50);
  const worker = Contender.start("drain", { ...run, concurrency, warmUpJobs });
  await Promise.all([preload(run, bench), worker.ready()]);
  const drained = await runDrain(worker, run, bench);
  return {
    figures: { throughput: (run.jobs * 1_000) / drained.result.elapsedMs },
    costs: costsPerJob(drained, run.jobs),
  };
}
