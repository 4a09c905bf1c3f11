import type { DetailFilter, JobDetail, JobDetails } from "../../postgres/job/job-details.ts";
import type { OutcomeTable } from "../../postgres/job/outcome-table.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import { walk } from "./job-walk.ts";
import { writeCursor, type JobsQuery } from "./jobs-options.ts";
import { endedJob, jobOfRow, type JobState, type QueuedJob } from "./queued-job.ts";

const page = 50;

/** The jobs of a transactional queue: rows. Which of them run and which stand in lines only Valkey knows. */
export class RowJobs {
  readonly #store: QueueStore;
  readonly #details: JobDetails;
  readonly #outcomes: OutcomeTable;

  constructor(store: QueueStore, { details, outcomes }: { readonly details: JobDetails; readonly outcomes: OutcomeTable }) {
    this.#store = store;
    this.#details = details;
    this.#outcomes = outcomes;
  }

  async job<Data>(id: string): Promise<QueuedJob<Data> | undefined> {
    const rows = await this.#details.of([id]);
    const [state] = await this.#statesOf(rows, await this.#held());
    if (rows[0] && state) return jobOfRow(rows[0], { state, cursor: "" });
    const [found] = await this.#outcomes.find([id]);
    return found?.outcome ? endedJob(id, found.outcome) : undefined;
  }

  async *pages<Data>(query: JobsQuery): AsyncGenerator<readonly QueuedJob<Data>[]> {
    const filter = filterOf(query);
    for (let after = query.cursor[0] ?? "0"; ;) {
      const held = query.state === "dead" ? new Set<string>() : await this.#held();
      // Few run, and many may wait.
      const ids = query.state === "running" ? [...held] : undefined;
      const rows = await this.#details.page({ ...filter, ids }, after, page);
      const states = await this.#statesOf(rows, held);
      yield rows.flatMap((row, index) => {
        const state = states[index];
        if (!state || state === "cancelled" || (query.state !== undefined && state !== query.state)) return [];
        return [jobOfRow<Data>(row, { state, cursor: writeCursor([row.place]) })];
      });
      if (rows.length < page) return;
      after = rows.at(-1)?.place ?? after;
    }
  }

  async #statesOf(rows: readonly JobDetail[], held: ReadonlySet<string>): Promise<JobState[]> {
    const groups = [...new Set(rows.flatMap(({ group_name: group, state }) => (group === null || state === "dead" ? [] : [group])))];
    const admitted = await this.#store.jobPages.admitted(groups);
    return rows.map(({ id, state, due, group_name: group, is_parked: isParked }) => {
      if (state === "dead" || state === "cancelled") return state;
      if (held.has(id)) return "running";
      if (isParked) return "parked";
      const turns = group === null ? undefined : admitted.get(group);
      // Where the group is not known on Valkey, the job is still to come there.
      if (turns && turns.size > 0 && !turns.has(id)) return "blocked";
      return due === null ? "waiting" : "scheduled";
    });
  }

  async #held(): Promise<ReadonlySet<string>> {
    const held = new Set<string>();
    await walk(
      this.#store,
      { scheduled: false, waiting: false, running: true, group: undefined },
      {
        wait: () => Promise.resolve(undefined),
        held: async (worker) => {
          for await (const ids of this.#store.reads.ids(this.#store.keys.held(worker))) for (const id of ids) held.add(id);
          return undefined;
        },
      },
    );
    return held;
  }
}

function filterOf({ state, group }: JobsQuery): Omit<DetailFilter, "ids"> {
  if (state === "dead") return { states: ["dead"], isDue: undefined, group };
  const open = ["waiting", "scheduled"] as const;
  if (state === undefined) return { states: [...open, "dead"], isDue: undefined, group };
  return { states: open, isDue: state === "scheduled" ? false : state === "waiting" ? true : undefined, group };
}
