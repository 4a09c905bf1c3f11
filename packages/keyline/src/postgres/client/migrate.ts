import { readFileSync } from "node:fs";
import { KeylineError } from "../../runtime/errors.ts";
import type { Database } from "./database.ts";
import { beginOwn } from "./transaction-watch.ts";

export const migrations = [
  "0001-job",
  "0002-message",
  "0003-event",
  "0004-lost-event",
  "0005-job-option",
  "0006-schedule",
  "0007-dead-letter",
  "0008-deduplication",
  "0009-outcome",
  "0010-cancel",
  "0011-result",
  "0012-step",
  "0013-family",
  "0014-settle-all",
  "0015-add-jobs",
  "0016-audit",
  "0017-trace",
  "0018-figures",
  "0019-schedule-pause",
  "0020-group-reset",
  "0021-buried-parent",
  "0022-family-end",
  "0023-delivery",
  "0024-end-children",
  "0025-step-group",
  "0026-packed-family",
  "0027-alike-children",
  "0028-late-note",
  "0029-lock-order",
  "0030-own-value",
  "0031-redriven-parent",
  "0032-children-in-order",
  "0033-dead-child",
  "0034-changed-job",
  "0035-checked-epoch",
  "0036-update-period",
  "0037-changed-parent",
] as const;

const createSchema = `
  CREATE SCHEMA IF NOT EXISTS keyline;
  CREATE TABLE IF NOT EXISTS keyline.migration (
    version integer PRIMARY KEY,
    name text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
  )`;
const isThere = "SELECT to_regclass('keyline.migration') IS NOT NULL AS is_there";
// "keyline" as a number: many processes may start at once, and one of them migrates.
const takeLock = "SELECT pg_advisory_xact_lock(7738160519)";

/** Brings the schema `keyline` to this library's version, in one transaction. Does nothing where it is already; throws SCHEMA_TOO_NEW where it is newer. */
export async function migrate(database: Database): Promise<void> {
  const client = await database.connect();
  try {
    await client.query(beginOwn);
    await client.query(takeLock);
    // A role that may create nothing can call this too, where there is nothing to create.
    const { rows: found } = await client.query<{ is_there: boolean }>(isThere);
    if (!found[0]?.is_there) await client.query(createSchema);
    const { rows } = await client.query<{ version: number }>("SELECT coalesce(max(version), 0) AS version FROM keyline.migration");
    const present = rows[0]?.version ?? 0;
    if (present > migrations.length) {
      throw new KeylineError(
        "SCHEMA_TOO_NEW",
        `The schema keyline is at version ${present}, this library knows ${migrations.length}: upgrade the package keyline here`,
      );
    }
    for (const [index, name] of migrations.entries()) {
      if (index < present) continue;
      await client.query(readFileSync(new URL(`./migrations/${name}.sql`, import.meta.url), "utf8"));
      await client.query("INSERT INTO keyline.migration (version, name) VALUES ($1, $2)", [index + 1, name]);
    }
    await client.query("COMMIT");
    client.release();
  } catch (error) {
    await client.query("ROLLBACK").catch(() => undefined);
    client.release(true);
    throw database.explain(error, client);
  }
}
