import type { Door } from "../../runtime/door.ts";
import { KeylineError } from "../../runtime/errors.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import { readWorkers } from "../worker/worker-info.ts";
import { JobList } from "./job-list.ts";
import { checkJobsOptions, type JobsOptions } from "./jobs-options.ts";
import type { FamilyQuery, JobFamily } from "../families/family-view.ts";
import type { PlainJobs } from "./plain-jobs.ts";
import type { QueuedJob } from "./queued-job.ts";
import type { RowJobs } from "./row-jobs.ts";
import { unlessAway } from "../../valkey/client/unless-away.ts";
import { asRead } from "../../valkey/client/as-read.ts";

const readyWithinMs = 5_000;

/** What can be seen of the jobs of one queue. */
export class Jobs<Data> {
  readonly #parts: { readonly store: QueueStore; readonly door: Door; readonly jobs: PlainJobs | RowJobs };

  constructor(parts: { readonly store: QueueStore; readonly door: Door; readonly jobs: PlainJobs | RowJobs }) {
    this.#parts = parts;
  }

  /** See `Queue.job`. */
  async find(id: string): Promise<QueuedJob<Data> | undefined> {
    await this.#ready();
    const { jobs, store } = this.#parts;
    const [job, progress] = await Promise.all([jobs.job<Data>(id), this.#seen(() => store.events.progressOf(id))]);
    if (!job) return undefined;
    const { worker } = job;
    const startedAt = worker === undefined ? undefined : await this.#seen(() => startOf(store, { id, worker }));
    return { ...job, ...(progress === undefined ? {} : { progress }), ...(startedAt === undefined ? {} : { startedAt }) };
  }

  /** See `Queue.family`. */
  async family(id: string, query: FamilyQuery): Promise<JobFamily | undefined> {
    await this.#ready();
    return this.#parts.jobs.family(id, query);
  }

  /** See `Queue.jobs`. */
  list(options: JobsOptions): JobList<Data> {
    const query = checkJobsOptions(options);
    const { door, jobs } = this.#parts;
    door.check();
    if (query.contains !== undefined && !jobs.areRows) {
      throw new KeylineError(
        "NOT_TRANSACTIONAL",
        "Jobs of a plain queue are not searched by their data: make it with { transactional: true }",
      );
    }
    const pages = jobs.pages<Data>(query);
    const next = async (): Promise<IteratorResult<readonly QueuedJob<Data>[], string | undefined>> => {
      await this.#ready();
      return pages.next();
    };
    return new JobList(() => door.accept(() => asRead(next())), query.limit);
  }

  /** Rows can be read without Valkey. */
  async #ready(): Promise<void> {
    const { jobs, store } = this.#parts;
    if (!jobs.areRows) await store.connection.ensureReady(readyWithinMs);
  }

  /** What Valkey says besides. */
  #seen<Answer>(ask: () => Promise<Answer>): Promise<Answer | undefined> {
    const { jobs, store } = this.#parts;
    return jobs.areRows ? unlessAway(store.connection, ask) : ask();
  }
}

async function startOf(store: QueueStore, { id, worker }: { readonly id: string; readonly worker: string }): Promise<number | undefined> {
  const info = (await readWorkers(store, { jobs: true })).find((one) => one.id === worker);
  return info?.jobs.find((job) => job.id === id)?.startedAt;
}
