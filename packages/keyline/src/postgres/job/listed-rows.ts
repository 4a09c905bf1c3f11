/*
 * DESIGN. A list of jobs is a walk along an index that is there for other reasons: one for lists alone would be paid for by each job. The walk that leads to the fewest rows is taken, and each statement
 * looks at a bounded number of them, whether they fit or not: few at first, as nearly all of them fit in most lists, and more where they do not.
 */
import { KeylineError } from "../../runtime/errors.ts";
import { readWithin } from "../client/bounded-read.ts";
import type { Database } from "../client/database.ts";
import type { Statement } from "../client/statement.ts";
import { details, type JobDetail } from "./job-details.ts";

/** All by their ids; those of a group that are open and those that are parked in the order of adding; dead ones in the order of their deaths. */
export type RowWalk = "ids" | "group" | "parked" | "dead";

export interface RowFilter {
  /** States that rows know; a row that waits may be running. */
  readonly states: readonly JobDetail["state"][];
  readonly isDue: boolean | undefined;
  readonly group: string | undefined;
  /** A text in their data, capitals or not. */
  readonly contains: string | undefined;
  /** A text in what their last attempts failed with. */
  readonly error: string | undefined;
}

export interface ListedRow extends JobDetail {
  /** Where the walk goes on behind it. */
  readonly place: string;
}

const died = "coalesce(died_at, added_at)";
const diedAt = "(timestamptz 'epoch' + split_part($2, ' ', 1)::float8 * interval '1 microsecond')";

const walks: Readonly<Record<RowWalk, { readonly range: string; readonly order: string; readonly place: string; readonly first: string }>> =
  {
    ids: { range: "id > $2", order: "id", place: "id", first: "" },
    group: {
      range: "group_name = $5 AND state IN ('waiting', 'scheduled') AND seq > $2::bigint",
      order: "seq",
      place: "seq::text",
      first: "0",
    },
    parked: { range: "parked IS NOT NULL AND seq > $2::bigint", order: "seq", place: "seq::text", first: "0" },
    dead: {
      range: `state = 'dead' AND (${died}, id) > (${diedAt}, substr($2, strpos($2, ' ') + 1))`,
      order: `${died}, id`,
      place: `(extract(epoch FROM ${died}) * 1000000)::bigint || ' ' || id`,
      first: "0 ",
    },
  };

/** `$6` rows are walked over, and of these that fit `$7` are looked at. */
function listing(walk: RowWalk): Statement {
  const { range, order, place } = walks[walk];
  return {
    name: `keyline-list-${walk}`,
    isQuick: true,
    text: `WITH walked AS MATERIALIZED (
        SELECT *, row_number() OVER () AS n FROM (
          SELECT id AS of_id, ${place} AS place, state = ANY($3::text[]) AND ($4::boolean IS NULL OR (state = 'scheduled' AND due_at > now()) <> $4)
            AND ($5::text IS NULL OR group_name = $5) AS fits
          FROM keyline.job WHERE queue = $1 AND ${range} ORDER BY ${order} LIMIT $6
        ) AS walked
      ), looked AS MATERIALIZED (SELECT * FROM walked WHERE fits ORDER BY n LIMIT $7)
      SELECT (SELECT count(*) FROM walked)::integer AS walked, (SELECT count(*) FROM looked)::integer AS looked,
        (SELECT place FROM walked ORDER BY n DESC LIMIT 1) AS last, (SELECT place FROM looked ORDER BY n DESC LIMIT 1) AS "lastLooked", found.*
      FROM (VALUES (1)) AS one LEFT JOIN (
        SELECT job.*, place, n FROM looked CROSS JOIN LATERAL (
          SELECT ${details} FROM keyline.job WHERE queue = $1 AND id = of_id AND ($8::text IS NULL OR position($8 IN lower(data::text)) > 0)
            AND ($9::text IS NULL OR position($9 IN last_error) > 0) OFFSET 0
        ) AS job
      ) AS found ON true ORDER BY n`,
  };
}

const listings: Readonly<Record<RowWalk, Statement>> = {
  ids: listing("ids"),
  group: listing("group"),
  parked: listing("parked"),
  dead: listing("dead"),
};

interface Head {
  readonly walked: number;
  readonly looked: number;
  readonly last: string | null;
  readonly lastLooked: string | null;
}
type Row = Head & (ListedRow | { readonly id: null });

const fewest = 100;
const most = 10_000;
const page = 50;
// A search brings data from elsewhere, and has most of it for nothing.
const searchPage = 500;
const searchMost = 100_000;
const searchWithinMs = 5_000;

/** Rows of one queue's jobs, listed. */
export class ListedRows {
  readonly #database: Database;
  readonly #queue: string;

  constructor(database: Database, queue: string) {
    this.#database = database;
    this.#queue = queue;
  }

  /** Page by page, behind the place `after`. A search ends after 100,000 rows that fit otherwise, and returns the place where it goes on; throws TIMEOUT where a page of it takes too long. */
  async *pages(
    walk: RowWalk,
    { states, isDue, group, contains, error }: RowFilter,
    after?: string,
  ): AsyncGenerator<readonly ListedRow[], string | undefined> {
    const isSearch = contains !== undefined || error !== undefined;
    const pageSize = isSearch ? searchPage : page;
    const filter = [states, isDue ?? null, group ?? null];
    const texts = [contains === undefined ? null : asInJson(contains), error ?? null];
    let place = after ?? walks[walk].first;
    let looked = 0;
    for (let steps = fewest; looked < (isSearch ? searchMost : Infinity); steps = Math.min(most, steps * 10)) {
      const rows = await this.#read(listings[walk], [this.#queue, place, ...filter, steps, pageSize, ...texts], isSearch);
      const [head] = rows;
      if (!head) return undefined;
      yield rows.filter((row): row is Head & ListedRow => row.id !== null);
      looked += head.looked;
      const isFull = head.looked === pageSize;
      if (!isFull && head.walked < steps) return undefined;
      place = (isFull ? head.lastLooked : head.last) ?? place;
      if (isFull) steps = fewest / 10;
    }
    return place;
  }

  async #read(statement: Statement, values: readonly unknown[], isSearch: boolean): Promise<readonly Row[]> {
    if (!isSearch) return this.#database.query<Row>(statement, [...values]);
    const rows = await readWithin<Row>(this.#database, searchWithinMs, { statement, values });
    if (rows) return rows;
    const message = `The search in queue ${this.#queue} took longer than ${searchWithinMs} ms for ${searchPage} jobs: search in fewer, as of one group`;
    throw new KeylineError("TIMEOUT", message);
  }
}

/** As it stands in the text of JSON, without regard to capitals. */
function asInJson(text: string): string {
  return JSON.stringify(text).slice(1, -1).toLowerCase();
}
