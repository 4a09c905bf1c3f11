import { AuditTable } from "../postgres/audit/audit-table.ts";
import type { Database } from "../postgres/client/database.ts";
import type { Door } from "../runtime/door.ts";
import { AuditLog } from "../valkey/audit/audit-log.ts";
import type { ValkeyConnection } from "../valkey/client/connection.ts";
import { Audit } from "./audit.ts";
import { AuditInRows } from "./audit-in-rows.ts";
import { AuditOnValkey } from "./audit-on-valkey.ts";

interface AuditSetup {
  readonly prefix: string;
  readonly commands: ValkeyConnection;
  readonly database: Database | undefined;
  readonly door: Door;
}

const readyWithinMs = 5_000;

/** The audit trail of a Keyline, where it is best kept. */
export function createAudit({ prefix, commands, database, door }: AuditSetup): Audit {
  if (database) return new Audit({ shelf: new AuditInRows(new AuditTable(database)), door, ensureReady: () => Promise.resolve() });
  return new Audit({
    shelf: new AuditOnValkey(new AuditLog(commands, prefix)),
    door,
    ensureReady: () => commands.ensureReady(readyWithinMs),
  });
}
