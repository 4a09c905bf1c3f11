import { KeylineError } from "../../runtime/errors.ts";
import type { Database } from "./database.ts";
import type { Statement } from "./statement.ts";

// Of partitions only the table that they belong to counts: they are made with the rights of whoever migrated.
const findMissing: Statement = {
  name: "keyline-rights",
  text: `
    SELECT what FROM (
      SELECT 1 AS place, 'USAGE on schema keyline' AS what FROM pg_namespace
      WHERE nspname = 'keyline' AND NOT has_schema_privilege(oid, 'USAGE')
      UNION ALL
      SELECT 2, format('SELECT, INSERT, UPDATE and DELETE on table keyline.%I', c.relname)
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = 'keyline' AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> 'migration'
        AND NOT (has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
          AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE'))
      UNION ALL
      SELECT 2, format('USAGE on sequence keyline.%I', c.relname)
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = 'keyline' AND CASE WHEN c.relkind = 'S' THEN NOT has_sequence_privilege(c.oid, 'USAGE') END
      UNION ALL
      SELECT 3, format('EXECUTE on function keyline.%I', p.proname)
      FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
      WHERE n.nspname = 'keyline' AND NOT has_function_privilege(p.oid, 'EXECUTE')
    ) AS missing ORDER BY place, what LIMIT 1`,
};

const checked = new WeakSet<Database>();

/** Throws NOT_PERMITTED when the role lacks a right to the schema `keyline`. A database that was checked is not checked again. */
export async function checkDatabaseRights(database: Database): Promise<void> {
  if (checked.has(database)) return;
  const missing = await findMissingRight(database);
  if (missing !== undefined) {
    throw new KeylineError("NOT_PERMITTED", `The role of PostgreSQL lacks ${missing}: give it the rights that the guide names`);
  }
  checked.add(database);
}

/** The first right to the schema `keyline` that the role lacks. */
export async function findMissingRight(database: Database): Promise<string | undefined> {
  const [missing] = await database.query<{ what: string }>(findMissing, []);
  return missing?.what;
}
