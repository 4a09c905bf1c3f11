import { KeylineError } from "../../runtime/errors.ts";
import type { Database } from "../../postgres/client/database.ts";
import { JobDetails, type JobDetail } from "../../postgres/job/job-details.ts";
import { ListedRows, type ListedRow } from "../../postgres/job/listed-rows.ts";
import { SurroundingRows, type StepView, type SurroundingRow } from "../../postgres/job/surrounding-rows.ts";
import type { OutcomeTable } from "../../postgres/job/outcome-table.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import type { FamilyQuery, JobFamily } from "../families/family-view.ts";
import { rowFamily } from "../families/row-family-view.ts";
import type { JobStep, JobSurroundings } from "./job-surroundings.ts";
import { walk } from "./job-walk.ts";
import { writeCursor, type JobsQuery } from "./jobs-options.ts";
import { filterOf, walksOf } from "./row-walks.ts";
import { unlessAway } from "../../valkey/client/unless-away.ts";
import { endedJob, jobOfRow, type JobState, type QueuedJob } from "./queued-job.ts";

const page = 50;

/** The jobs that workers hold, and which; undefined while Valkey is away. */
type Held = ReadonlyMap<string, string> | undefined;

interface RowJobsParts {
  readonly queue: string;
  readonly details: JobDetails;
  readonly outcomes: OutcomeTable;
  readonly surroundings: SurroundingRows;
  readonly listed: ListedRows;
}

/** The jobs of a transactional queue: rows. Which of them run and which stand in lines only Valkey knows; while it is away they wait, as far as rows tell. */
export class RowJobs {
  readonly #store: QueueStore;
  readonly #details: JobDetails;
  readonly #parts: RowJobsParts;
  readonly areRows = true;

  static of(
    store: QueueStore,
    { database, queue, outcomes }: { readonly database: Database; readonly queue: string; readonly outcomes: OutcomeTable },
  ): RowJobs {
    return new RowJobs(store, {
      queue,
      details: new JobDetails(database, queue),
      outcomes,
      surroundings: new SurroundingRows(database),
      listed: new ListedRows(database, queue),
    });
  }

  constructor(store: QueueStore, parts: RowJobsParts) {
    this.#store = store;
    this.#details = parts.details;
    this.#parts = parts;
  }

  async job<Data>(id: string): Promise<QueuedJob<Data> | undefined> {
    const held = await this.#held();
    const job = await this.#find<Data>(id, held);
    // Nothing is left of one that has ended.
    if (job?.data === undefined) return job;
    const { surroundings, queue } = this.#parts;
    const around = await surroundings.around(queue, id);
    return { ...job, ...(around ? toSurroundings(around) : {}), ...(job.state === "running" ? { worker: held?.get(id) } : {}) };
  }

  /** See `Queue.family`. */
  async family(id: string, query: FamilyQuery): Promise<JobFamily | undefined> {
    const job = await this.#find(id, await this.#held());
    if (!job) return undefined;
    const { surroundings, queue } = this.#parts;
    return rowFamily(surroundings, { queue, id, state: job.state, reason: job.state === "dead" ? job.error : undefined }, query);
  }

  async #find<Data>(id: string, held: Held): Promise<QueuedJob<Data> | undefined> {
    const rows = await this.#details.of([id]);
    const [seen] = await this.#seen(rows, held);
    if (rows[0] && seen) return jobOfRow(rows[0], { ...seen, cursor: "" });
    const [found] = await this.#parts.outcomes.find([id]);
    return found?.outcome ? endedJob(id, found.outcome) : undefined;
  }

  /** Returns the cursor where a search goes on that ends before it has looked at all. */
  async *pages<Data>(query: JobsQuery): AsyncGenerator<readonly QueuedJob<Data>[], string | undefined> {
    const { state } = query;
    for (const { walk, after } of walksOf(query)) {
      const pages = state === "running" ? this.#running(query, after) : this.#parts.listed.pages(walk, filterOf(query), after);
      for (;;) {
        const held = state === "dead" ? new Map<string, string>() : await this.#held();
        if (!held && (state === "running" || state === "blocked")) throw await this.#unknown(state);
        const { done, value: rows } = await pages.next();
        if (done) {
          if (rows === undefined) break;
          return writeCursor([walk, rows]);
        }
        const seen = await this.#seen(rows, held);
        yield rows.flatMap((row, index) => {
          const where = seen[index];
          if (!where || where.state === "cancelled" || (state !== undefined && where.state !== state)) return [];
          return [jobOfRow<Data>(row, { ...where, cursor: writeCursor([walk, row.place]) })];
        });
      }
    }
    return undefined;
  }

  /** Few run, and many may wait: the rows of those that workers hold. */
  async *#running({ group }: JobsQuery, after = ""): AsyncGenerator<readonly ListedRow[], undefined> {
    const held = [...((await this.#held())?.keys() ?? [])].filter((id) => id > after).toSorted(byCode);
    for (let first = 0; first < held.length; first += page) {
      const rows = await this.#details.of(held.slice(first, first + page));
      const fitting = rows.filter((row) => group === undefined || row.group_name === group);
      yield fitting.map((row) => ({ ...row, place: row.id })).toSorted((one, other) => byCode(one.id, other.id));
    }
    return undefined;
  }

  async #seen(rows: readonly JobDetail[], held: Held): Promise<{ readonly state: JobState; readonly isFromRow: boolean }[]> {
    const groups = [...new Set(rows.flatMap(({ group_name: group, state }) => (group === null || state === "dead" ? [] : [group])))];
    const admitted = held && (await unlessAway(this.#store.connection, () => this.#store.jobPages.admitted(groups)));
    const stateOf = ({ id, state, due, group_name: group, is_parked: isParked, is_resting: isResting }: JobDetail): JobState => {
      if (state === "dead" || state === "cancelled") return state;
      if (isResting) return "parked";
      if (held?.has(id)) return "running";
      if (isParked) return "parked";
      const turns = group === null ? undefined : admitted?.get(group);
      // Where the group is not known on Valkey, the job is still to come there.
      if (turns && turns.size > 0 && !turns.has(id)) return "blocked";
      return due === null ? "waiting" : "scheduled";
    };
    return rows.map((row) => ({ state: stateOf(row), isFromRow: admitted === undefined && row.state !== "dead" }));
  }

  async #unknown(state: string): Promise<Error> {
    // It says why, where something is to be mended.
    await this.#store.connection.ensureReady(0);
    return new KeylineError("VALKEY_UNAVAILABLE", `Which jobs are ${state} only Valkey knows, and it did not answer: check that it runs`);
  }

  #held(): Promise<Held> {
    const { connection, reads, keys } = this.#store;
    return unlessAway(connection, async () => {
      const held = new Map<string, string>();
      await walk(
        this.#store,
        { scheduled: false, waiting: false, running: true, group: undefined },
        {
          wait: () => Promise.resolve(undefined),
          held: async (worker) => {
            for await (const ids of reads.ids(keys.held(worker))) for (const id of ids) held.set(id, worker);
            return undefined;
          },
        },
      );
      return held;
    });
  }
}

function toSurroundings(row: SurroundingRow): JobSurroundings {
  const { stack, steps, on_child_dead: onChildDead, total, open, dead, cancelled } = row;
  const parent = row.parent_queue !== null && row.parent_id !== null ? { queue: row.parent_queue, id: row.parent_id } : undefined;
  return {
    ...(steps ? { steps: steps.map(toStep) } : {}),
    ...(stack === null ? {} : { stack }),
    ...(parent ? { parent } : {}),
    ...(onChildDead === null ? {} : { onChildDead, children: { total, open, dead, cancelled } }),
  };
}

function toStep({ until, outcome, value, ...step }: StepView): JobStep {
  return { ...step, until: until ?? undefined, outcome: outcome ?? undefined, value: value ?? undefined };
}

function byCode(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
