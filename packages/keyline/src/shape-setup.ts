import type { Database } from "./postgres/client/database.ts";
import type { Door } from "./runtime/door.ts";
import type { Logger } from "./runtime/logger.ts";
import type { Seam } from "./runtime/probe.ts";
import type { ValkeyConnection } from "./valkey/client/connection.ts";
import type { StreamTails } from "./valkey/client/stream-tails.ts";
import type { Rehearsal } from "./work/shift-parts.ts";

/** What a Keyline gives to its queues and to its streams, who do not know each other. */
export interface ShapeSetup {
  readonly prefix: string;
  readonly commands: ValkeyConnection;
  /** A connection that stays silent for up to `blockMs`. */
  connect(blockMs: number): ValkeyConnection;
  readonly logger: Logger;
  readonly tails: StreamTails;
  requireDatabase(what: string): Database;
  readonly database: Database | undefined;
  /** The same for handles that an operator opens: where nobody has said where PostgreSQL is, one that throws POSTGRES_REQUIRED for whatever is asked of it. */
  readonly record: Database;
  readonly door: Door;
  readonly seam: Seam;
  readonly rehearsal: Rehearsal | undefined;
}
