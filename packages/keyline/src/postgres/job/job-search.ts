import { KeylineError } from "../../runtime/errors.ts";
import { readWithin } from "../client/bounded-read.ts";
import type { Database } from "../client/database.ts";
import type { Statement } from "../client/statement.ts";
import { details, type JobDetail } from "./job-details.ts";

/** Which rows are looked at. */
export interface SearchRange {
  readonly state: "dead" | "scheduled";
  readonly group: string | undefined;
  /** Behind this place. */
  readonly after: string;
}

interface FoundJobs {
  readonly rows: readonly JobDetail[];
  /** The place of the last row that was looked at; undefined when there are no more. */
  readonly last: string | undefined;
}

// So many rows does one statement look at: their data may have to be brought from elsewhere, and nothing else is looked at.
const mostLooked = 500;
const withinMs = 5_000;

const search: Statement = {
  name: "keyline-search-jobs",
  text: `WITH looked AS MATERIALIZED (
      SELECT * FROM keyline.job WHERE queue = $1 AND seq > $2::bigint AND state = $3 AND (state = 'dead' OR (due_at > now() AND parked IS NULL))
        AND ($4::text IS NULL OR group_name = $4)
      ORDER BY job.seq LIMIT $6
    )
    SELECT (SELECT count(*) FROM looked)::integer AS looked, (SELECT max(seq) FROM looked)::text AS last, found.*
    FROM (VALUES (1)) AS one LEFT JOIN LATERAL (
      SELECT ${details} FROM looked WHERE position($5 IN lower(data::text)) > 0 ORDER BY looked.seq
    ) AS found ON true`,
};

type Row = { readonly looked: number; readonly last: string | null } & (JobDetail | { readonly id: null });

/** Looks for a text in the data of a transactional queue's jobs, some rows at a time. */
export class JobSearch {
  readonly #database: Database;
  readonly #queue: string;

  constructor(database: Database, queue: string) {
    this.#database = database;
    this.#queue = queue;
  }

  /** Throws TIMEOUT when it takes too long. */
  async page({ state, group, after }: SearchRange, text: string): Promise<FoundJobs> {
    const values = [this.#queue, after, state, group ?? null, asInJson(text), mostLooked];
    const rows = await readWithin<Row>(this.#database, withinMs, { statement: search, values });
    if (!rows) {
      const message = `The search in queue ${this.#queue} took longer than ${withinMs} ms for ${mostLooked} jobs: search in fewer, as of one group`;
      throw new KeylineError("TIMEOUT", message);
    }
    const [first] = rows;
    const isOver = !first || first.looked < mostLooked;
    return { rows: rows.filter((row): row is Row & JobDetail => row.id !== null), last: isOver ? undefined : (first.last ?? undefined) };
  }
}

/** As it stands in the text of JSON, without regard to capitals. */
function asInJson(text: string): string {
  return JSON.stringify(text).slice(1, -1).toLowerCase();
}
