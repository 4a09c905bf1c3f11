import type { QueryConfig } from "pg";
import type { Transaction } from "../client/options.ts";
import { KeylineError } from "../../runtime/errors.ts";

/** A statement with its values, as `query` of a `pg` client takes them. */
export interface SettleStatement {
  readonly text: string;
  readonly values?: readonly unknown[];
}

interface OneStatement extends QueryConfig {
  /** The types of `pg` do not know it yet. */
  readonly queryMode: "extended";
}

/** What a settle commits: statements, or a function that writes through `tx`. */
export type SettleEffects = ((tx: Transaction) => Promise<unknown>) | SettleStatement | readonly SettleStatement[];

// Behind blanks and comments: what would end the transaction that all of this is in, or part it.
const endsTransaction =
  /^(?:\s|--[^\n]*(?:\n|$)|\/\*(?:[^*]|\*(?!\/))*\*\/)*(?:begin|start|commit|end|rollback|abort|savepoint|release|prepare\s+transaction)\b/i;

/** Effects as a function, and as statements where they are. Throws INVALID_OPTION. */
export function readEffects(effects: SettleEffects): {
  readonly write: (tx: Transaction) => Promise<unknown>;
  readonly statements: readonly SettleStatement[] | undefined;
} {
  if (typeof effects === "function") return { write: effects, statements: undefined };
  const statements = isList(effects) ? effects : [effects];
  for (const statement of statements) check(statement);
  const write = async (tx: Transaction): Promise<void> => {
    for (const statement of statements) await tx.query(asOne(statement));
  };
  return { write, statements };
}

/** One statement, parsed as such also where it has no values: several in one text could end the transaction. */
export function asOne({ text, values = [] }: SettleStatement): OneStatement {
  return { text, values: [...values], queryMode: "extended" };
}

function check(statement: unknown): void {
  const { text, values } = (typeof statement === "object" && statement !== null ? statement : {}) as Partial<SettleStatement>;
  if (typeof text !== "string" || text.trim() === "" || (values !== undefined && !Array.isArray(values))) {
    throw new KeylineError("INVALID_OPTION", "settle takes a function, or statements { text, values } for PostgreSQL");
  }
  if (endsTransaction.test(text)) {
    throw new KeylineError(
      "INVALID_OPTION",
      `settle commits its statements in a transaction of its own: leave out ${text.trim().slice(0, 40)}`,
    );
  }
}

function isList(effects: SettleStatement | readonly SettleStatement[]): effects is readonly SettleStatement[] {
  return Array.isArray(effects);
}
