import { Iteration } from "../../runtime/iteration.ts";
import { PagedSource } from "../../runtime/paged-source.ts";
import type { QueuedJob } from "./queued-job.ts";

/** The jobs that `jobs()` finds, as they are iterated. */
export interface ListedJobs<Data = unknown> extends AsyncIterableIterator<QueuedJob<Data>, undefined, void> {
  /**
   * Where the same call goes on, once this has come to its end: behind the last job where that was by its `limit`, and behind the last one that was looked at where a search has looked at 100,000. Undefined where
   * there is no more, and before the end: there each job has its own.
   */
  readonly cursor: string | undefined;
}

/** A page of jobs; in the end where it goes on, where it does. */
type NextPage<Data> = () => Promise<IteratorResult<readonly QueuedJob<Data>[], string | undefined>>;

export class JobList<Data> extends Iteration<QueuedJob<Data>> implements ListedJobs<Data> {
  readonly #end: { cursor: string | undefined };

  constructor(next: NextPage<Data>, limit: number) {
    const end: { cursor: string | undefined } = { cursor: undefined };
    let left = limit;
    let last: QueuedJob<Data> | undefined;
    super(
      new PagedSource(async () => {
        if (left === 0) {
          end.cursor = last?.cursor;
          return undefined;
        }
        const { done, value } = await next();
        if (done) {
          end.cursor = value;
          return undefined;
        }
        const page = value.slice(0, left);
        left -= page.length;
        last = page.at(-1) ?? last;
        return page;
      }),
    );
    this.#end = end;
  }

  get cursor(): string | undefined {
    return this.#end.cursor;
  }
}
