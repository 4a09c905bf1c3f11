import type { Database } from "./database.ts";
import type { Statement } from "./statement.ts";

const passTimeStatement: Statement = {
  name: "keyline-pass-time",
  text: `WITH passed AS (SELECT $1::float8 * interval '1 millisecond' AS ms),
    job AS (UPDATE keyline.job SET due_at = due_at - passed.ms FROM passed WHERE due_at IS NOT NULL),
    deduplication AS (UPDATE keyline.deduplication SET until = until - passed.ms FROM passed),
    outcome AS (UPDATE keyline.outcome SET ended_at = ended_at - passed.ms, until = until - passed.ms FROM passed),
    step AS (UPDATE keyline.step SET until = until - passed.ms FROM passed WHERE until IS NOT NULL),
    event_once AS (UPDATE keyline.event_once SET until = until - passed.ms FROM passed)
    SELECT`,
};

/** Lets time pass for what users wait for in all of a database: whatever is due later, or remembered for a time. For rehearsals. */
export async function passTime(database: Database, ms: number): Promise<void> {
  await database.query(passTimeStatement, [ms]);
}
