import type { Taken } from "../../runtime/probe.ts";
import type { Outcome } from "../../work/outcome.ts";
import type { Trade } from "../../work/trade.ts";
import { errorOf } from "../../work/watched.ts";
import { traceOf } from "../element.ts";
import type { Job } from "../job.ts";
import { Parked } from "../steps/parked.ts";
import type { HeldJob } from "./held-jobs.ts";

/** Jobs as a probe is told of them. */
export function describeJobs(begun: readonly (readonly [held: HeldJob<unknown>, job: Job<unknown>])[], isBatch: boolean): Taken {
  const jobs = begun.map(([, job]) => job);
  return {
    place: jobs[0]?.queue ?? "",
    isBatch,
    ids: jobs.map(({ id }) => id),
    attempt: isBatch ? undefined : jobs[0]?.attempt,
    traces: begun.map(([{ raw }]) => traceOf(raw)),
    of: jobs,
  };
}

/** The error by which an attempt ended: none where it waits without a worker. */
export function errorOfJob(outcome: Outcome): Error | undefined {
  const error = errorOf(outcome);
  return error instanceof Parked ? undefined : error;
}

/** How a worker of the queue and its jobs are named. */
export function tradeOf<Data>(queue: string): Trade<HeldJob<Data>> {
  return {
    role: "worker",
    unit: "a job",
    place: `queue ${queue}`,
    fields: { queue },
    idOf: ({ element }) => element?.id,
    nameOf: ({ element }) => `job ${element?.id ?? "?"} of queue ${queue}`,
  };
}
