import type { PoolClient } from "pg";
import type { Database } from "../client/database.ts";
import { isAborted } from "../client/failures.ts";
import { nameRefused } from "../client/refused-data.ts";
import type { Statement } from "../client/statement.ts";
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
}

/** What a job remembers of a step, a sleep or a signal. */
export interface RememberedStep {
  readonly name: string;
  readonly kind: "step" | "sleep" | "signal";
  readonly outcome: "done" | "timeout";
  /** As JSON; null where it returned nothing. */
  readonly value: string | null;
}

const begin: Statement = { name: "keyline-begin-step", text: "SELECT answer, xid FROM keyline.begin_step($1, $2, $3, $4, $5, $6)" };

const keep: Statement = {
  name: "keyline-keep-step",
  text: `INSERT INTO keyline.step (queue, job_id, name, kind, value, outcome) VALUES ($1, $2, $3, 'step', $4::json, 'done')`,
};

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

  /** Begins the steps within the transaction that is open on `client`, which keeps their jobs to itself. Each row is told what the claim said. */
  async claim(client: PoolClient, rows: readonly StepRow[]): Promise<Claim> {
    const owed = new Set<string>();
    let xid: string | undefined;
    try {
      for (const row of rows) {
        const values = [this.#queue, row.id, row.attempts, row.parks, row.step, mostSteps];
        const { rows: answers } = await client.query<{ answer: StepAnswer; xid: string | null }>(this.database.prepared(begin, values));
        row.answer = answers[0]?.answer ?? "lost";
        xid ??= answers[0]?.xid ?? undefined;
        if (row.answer === "owed") owed.add(row.id);
      }
    } catch (error) {
      throw this.database.explain(error, client);
    }
    return { owed, xid };
  }

  /** Writes what a step came to, within the transaction that claimed it. */
  async keep(client: Pick<PoolClient, "query">, { id, step }: StepRow, value: string | undefined): Promise<void> {
    try {
      await client.query(this.database.prepared(keep, [this.#queue, id, step, value ?? null]));
    } catch (error) {
      // A statement before it failed and its error was caught: the COMMIT says so.
      if (isAborted(error)) return;
      throw nameRefused(error, `step ${JSON.stringify(step)} of job ${id}`, { name: step, value });
    }
  }

  /** Everything that the job remembers. */
  async recall(id: string): Promise<RememberedStep[]> {
    return this.database.query<RememberedStep>(recall, [this.#queue, id]);
  }
}
