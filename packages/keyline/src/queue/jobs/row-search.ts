import type { JobSearch } from "../../postgres/job/job-search.ts";
import { writeCursor, type JobsQuery } from "./jobs-options.ts";
import { jobOfRow, type QueuedJob } from "./queued-job.ts";

// A search ends after so many jobs, wherever it is.
const mostLooked = 100_000;
const mostPages = mostLooked / 500;

/** The jobs whose data has a text in it, page by page. */
export async function* searchRows<Data>(
  search: JobSearch,
  { state, group, cursor }: JobsQuery,
  text: string,
): AsyncGenerator<readonly QueuedJob<Data>[]> {
  let after: string | undefined = cursor[0] ?? "0";
  for (let pages = 0; after !== undefined && pages < mostPages; pages++) {
    const of = state === "dead" ? "dead" : "scheduled";
    const found: Awaited<ReturnType<JobSearch["page"]>> = await search.page({ state: of, group, after }, text);
    yield found.rows.map((row) => jobOfRow<Data>(row, { state: of, cursor: writeCursor([row.place]) }));
    after = found.last;
  }
}
