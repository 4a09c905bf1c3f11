import type { PoolClient } from "pg";
import type { Database } from "../client/database.ts";
import { isAborted } from "../client/failures.ts";
import { nameRefused } from "../client/refused-data.ts";
import type { Statement } from "../client/statement.ts";
import { countOf } from "./held-count.ts";
import type { Claim, Claims, ConflictCounts, HeldRow } from "../settle/settlement.ts";

/** So many steps may a job have, sleeps and signals included. */
export const mostSteps = 256;

/** What is to be done within a step's transaction: "owed"; why not otherwise, as `keyline.begin_step` says. */
type StepAnswer = "owed" | "known" | "full" | "lost";

/** A step of a job that its worker holds. */
export interface StepRow extends HeldRow {
  readonly step: string;
  /** How often the job was parked or woken, as its element has it. */
  readonly parks: number;
  /** What the claim said last. */
  answer?: StepAnswer;
  /** What the step came to, as JSON; undefined where it returned nothing. */
  value?: string | undefined;
}

/** What a job remembers of a step, a sleep or a signal. */
export interface RememberedStep {
  readonly name: string;
  readonly kind: "step" | "sleep" | "signal";
  readonly outcome: "done" | "timeout";
  /** As JSON; null where it returned nothing. */
  readonly value: string | null;
}

const begin: Statement = {
  name: "keyline-begin-steps",
  text: "SELECT answer, xid FROM keyline.begin_steps($1, $2, $3::bigint[], $4, $5, $6)",
};

const keep: Statement = { name: "keyline-keep-steps", text: "SELECT keyline.keep_steps($1, $2, $3, $4, $5)" };

const recall: Statement = { name: "keyline-recall-steps", text: "SELECT name, kind, outcome, value FROM keyline.recall_steps($1, $2)" };

/** The steps of the jobs of one queue. */
export class StepTable implements Claims<StepRow> {
  readonly database: Database;
  readonly counts: ConflictCounts;
  readonly #queue: string;

  constructor({ database, queue, counts }: { readonly database: Database; readonly queue: string; readonly counts: ConflictCounts }) {
    this.database = database;
    this.counts = counts;
    this.#queue = queue;
  }

  /** A claim only keeps a job to its step: those of several steps can be claimed at once, before anything of them is written. */
  readonly isEarly = true;

  /** Begins the steps within the transaction that is open on `client`, which keeps their jobs to itself. Each row is told what the claim said. */
  async claim(client: PoolClient, steps: readonly StepRow[]): Promise<Claim> {
    // In one order everywhere: copies of two jobs that are begun by two transactions would wait for each other.
    const rows = steps.toSorted((one, other) => (one.id < other.id ? -1 : 1));
    const columns = [rows.map(({ id }) => id), rows.map(countOf), rows.map(({ parks }) => parks), rows.map(({ step }) => step)];
    try {
      const values = [this.#queue, ...columns, mostSteps];
      const { rows: answers } = await client.query<{ answer: StepAnswer; xid: string | null }>(this.database.prepared(begin, values));
      rows.forEach((row, index) => (row.answer = answers[index]?.answer ?? "lost"));
      const owed = new Set(rows.flatMap(({ id, answer }) => (answer === "owed" ? [id] : [])));
      return { owed, xid: answers.find(({ xid }) => xid !== null)?.xid ?? undefined };
    } catch (error) {
      throw this.database.explain(error, client);
    }
  }

  /** Writes what the steps came to, within the transaction `xid` that claimed them: it fails in another one. */
  async keep(client: PoolClient, rows: readonly StepRow[], xid: string | undefined): Promise<void> {
    const values = [this.#queue, xid, rows.map(({ id }) => id), rows.map(({ step }) => step), rows.map(({ value }) => value ?? null)];
    try {
      await client.query(this.database.prepared(keep, values));
    } catch (error) {
      // A statement before it failed and its error was caught: the COMMIT says so.
      if (isAborted(error)) return;
      const [row] = rows;
      if (!row || rows.length > 1) throw error;
      throw nameRefused(error, `step ${JSON.stringify(row.step)} of job ${row.id}`, { name: row.step, value: row.value });
    }
  }

  /** Everything that the job remembers. */
  async recall(id: string): Promise<RememberedStep[]> {
    return this.database.query<RememberedStep>(recall, [this.#queue, id]);
  }
}
