import type { Database } from "../client/database.ts";
import type { Statement } from "../client/statement.ts";
import type { HeldRow } from "../settle/settlement.ts";
import { countOf } from "./held-count.ts";
import { columns, type JobRow } from "./job-row.ts";
import { mostSteps } from "./step-table.ts";

/** What a handler asks to wait for. */
export interface Wait {
  readonly why: "sleep" | "signal";
  readonly name: string;
  /** Undefined: for as long as it takes. */
  readonly ms: number | undefined;
}

/** A job as its worker holds it, parked so often. */
export interface ParkableRow extends HeldRow {
  readonly parks: number;
}

interface BuriedRow extends JobRow {
  readonly last_error: string | null;
}

/** What came of it: see `keyline.park`. */
export interface ParkAnswer {
  readonly answer: "done" | "timeout" | "parked" | "other" | "full" | "lost";
  /** The data of the signal, as JSON. */
  readonly value: string | null;
}

const park: Statement = {
  name: "keyline-park",
  text: "SELECT answer, value FROM keyline.park($1, $2, $3::bigint, $4, $5, $6, $7, $8, $9)",
};

const read: Statement = {
  name: "keyline-read-parked",
  text: `SELECT ${columns} FROM keyline.job WHERE queue = $1 AND id = $2 AND parks = $3 AND state IN ('waiting', 'scheduled')`,
};

// What it returns is its present state, whoever has changed that since.
const readWoken: Statement = {
  name: "keyline-read-woken",
  text: `SELECT ${columns} FROM keyline.job WHERE queue = $1 AND id = $2 AND parked IS NULL AND delivered_to IS NULL AND state IN ('waiting', 'scheduled')`,
};

const readBuried: Statement = {
  name: "keyline-read-buried",
  text: `SELECT ${columns}, last_error FROM keyline.job WHERE queue = $1 AND id = $2 AND parks IS NOT NULL AND state = 'dead'`,
};

const signal: Statement = { name: "keyline-signal", text: "SELECT answer, wakes FROM keyline.signal_job($1, $2, $3, $4::json, $5)" };

const note: Statement = {
  name: "keyline-note-parked",
  text: `SELECT keyline.note_parked($1, one.id, one.parks, $4) AS is_present
    FROM (SELECT * FROM unnest($2::text[], $3::integer[]) AS one (id, parks) ORDER BY id) AS one`,
};

const readPresent: Statement = {
  name: "keyline-read-present",
  text: `SELECT id, attempts, coalesce(parks, 0) AS parks FROM keyline.job
    WHERE queue = $1 AND id = ANY($2::text[]) AND state IN ('waiting', 'scheduled')`,
};

const disown: Statement = {
  name: "keyline-disown",
  text: `UPDATE keyline.job SET delivered_to = NULL
    WHERE queue = $1 AND id = ANY($2::text[]) AND parks IS NOT NULL AND delivered_to IS NOT NULL AND state IN ('waiting', 'scheduled')`,
};

const disownPutOff: Statement = {
  name: "keyline-disown-put-off",
  text: `UPDATE keyline.job SET delivered_to = NULL WHERE ctid = ANY (ARRAY(
      SELECT ctid FROM keyline.job WHERE queue = $1 AND id = ANY($2::text[]) AND parks IS NULL
        AND state = 'scheduled' AND due_at > clock_timestamp() ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
    )) RETURNING id`,
};

/** The rows of those jobs of one queue that wait for the end of a sleep, or for a signal. */
export class ParkedRows {
  readonly #database: Database;
  readonly #queue: string;

  constructor(database: Database, queue: string) {
    this.#database = database;
    this.#queue = queue;
  }

  /** Goes on behind the wait, or parks the job. The same call with the same `tag` may be made again. */
  async park(held: ParkableRow, { why, name, ms }: Wait, tag: string): Promise<ParkAnswer> {
    const values = [this.#queue, held.id, countOf(held), held.parks, why, name, ms ?? null, mostSteps, tag];
    const [row] = await this.#database.query<{ answer: ParkAnswer["answer"]; value: string | null }>(park, values);
    return row ?? { answer: "lost", value: null };
  }

  /** The job, if it was parked and woken so often and not oftener. */
  async read(id: string, parks: number): Promise<JobRow | undefined> {
    return (await this.#database.query<JobRow>(read, [this.#queue, id, parks]))[0];
  }

  /** What an element is compared with, of each of these jobs that has not ended. */
  async present(ids: readonly string[]): Promise<ReadonlyMap<string, { readonly attempts: number; readonly parks: number }>> {
    const rows = await this.#database.query<{ id: string; attempts: number; parks: number }>(readPresent, [this.#queue, ids]);
    return new Map(rows.map((row) => [row.id, row]));
  }

  /** The row of a job that was woken and not delivered since. */
  async woken(id: string): Promise<JobRow | undefined> {
    return (await this.#database.query<JobRow>(readWoken, [this.#queue, id]))[0];
  }

  /** Keeps a signal for the job. Undefined when there is no such job, "full" when it has too many; `woken` is the row of one that waited for it. */
  async signal(
    id: string,
    name: string,
    json: string | undefined,
  ): Promise<{ readonly isFull: boolean; readonly woken: JobRow | undefined } | undefined> {
    const values = [this.#queue, id, name, json ?? null, mostSteps];
    const [row] = await this.#database.query<{ answer: "sent" | "full" | null; wakes: boolean | null }>(signal, values);
    if (!row || row.answer === null) return undefined;
    const woken = row.wakes ? await this.woken(id) : undefined;
    return { isFull: row.answer === "full", woken };
  }

  /** Notes that the job was delivered to `epoch` as it was when it had been parked and woken so often. False when it is not so any more. */
  async note(id: string, parks: number, epoch: string): Promise<boolean> {
    const [row] = await this.#database.query<{ is_present: boolean }>(note, [this.#queue, [id], [parks], epoch]);
    return row?.is_present ?? false;
  }

  /** The same for several. */
  async noteAll(jobs: readonly { readonly id: string; readonly parks: number }[], epoch: string): Promise<void> {
    await this.#database.query(note, [this.#queue, jobs.map(({ id }) => id), jobs.map(({ parks }) => parks), epoch]);
  }

  /** The row of a job that became a dead letter while it was parked. */
  async buried(id: string): Promise<BuriedRow | undefined> {
    return (await this.#database.query<BuriedRow>(readBuried, [this.#queue, id]))[0];
  }

  /** Elements of these jobs were dropped, as they were out of date: nothing says any more that the present ones are there, so the relay looks after them. */
  async disown(ids: readonly string[]): Promise<void> {
    await this.#database.query(disown, [this.#queue, ids]);
  }

  /** The same of jobs that were never parked, and wait for their time. Returns those of which it is so now: elements of others, of which the rows are locked or due, are to stay. */
  async disownPutOff(ids: readonly string[]): Promise<ReadonlySet<string>> {
    return new Set((await this.#database.query<{ id: string }>(disownPutOff, [this.#queue, ids])).map(({ id }) => id));
  }
}
