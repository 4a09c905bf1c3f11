import type { JobsOptions } from "keyline";
import { tellJob } from "./job-answer.ts";
import type { GatewayQueue } from "./queue-access.ts";

type ToldJob = ReturnType<typeof tellJob>;

const mostBytes = 1_048_576;

interface JobPage {
  readonly jobs: readonly ToldJob[];
  /** The cursor of the next page, or null. */
  readonly next: string | null;
}

/** A page of jobs, which ends earlier where it would be too large. */
export async function readJobs(queue: GatewayQueue, options: JobsOptions & { readonly limit: number }): Promise<JobPage> {
  const jobs: ToldJob[] = [];
  let bytes = 0;
  const all = queue.jobs(options);
  for await (const found of all) {
    const job = tellJob(found);
    bytes += JSON.stringify(job).length;
    if (jobs.length > 0 && bytes > mostBytes) break;
    jobs.push(job);
    if (jobs.length === options.limit) break;
  }
  const isFull = jobs.length === options.limit || bytes > mostBytes;
  // A search may have ended before it has looked at all, whether it has found any or not.
  return { jobs, next: (isFull ? jobs.at(-1)?.cursor : all.cursor) ?? null };
}
