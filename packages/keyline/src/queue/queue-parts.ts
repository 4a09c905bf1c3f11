import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { DeadTable } from "../postgres/job/dead-table.ts";
import type { Door } from "../runtime/door.ts";
import type { Logger } from "../runtime/logger.ts";
import type { Seam } from "../runtime/probe.ts";
import type { Rehearsal } from "../work/shift-parts.ts";
import type { ValkeyConnection } from "../valkey/client/connection.ts";
import type { StreamTails } from "../valkey/client/stream-tails.ts";
import type { Sighting } from "../valkey/directory/sightings.ts";
import type { QueueStore } from "../valkey/queue/queue-store.ts";
import type { Adder } from "./add/adder.ts";
import type { JobOutlet } from "./add/job-outlet.ts";
import type { PlainQueueFamilies } from "./families/plain-queue-families.ts";
import type { OwnFamilies } from "./families/queue-families.ts";
import type { Gatekeeper } from "./gates/gatekeeper.ts";
import type { Canceller } from "./jobs/canceller.ts";
import type { JobUpdates } from "./jobs/job-updates.ts";
import type { Promotion } from "./jobs/promotion.ts";
import type { PlainJobs } from "./jobs/plain-jobs.ts";
import type { RowJobs } from "./jobs/row-jobs.ts";
import type { JobRecord } from "./worker/job-record.ts";
import type { LetterShelf, ReadableShelf } from "./letters/letter-shelf.ts";
import type { QueuePolicy } from "./options.ts";
import type { Listening } from "./listening.ts";
import type { JobSignals } from "./steps/job-signals.ts";
import type { ScheduleBook } from "./schedules/schedule-book.ts";
import type { TransactionalAdder } from "./add/transactional-adder.ts";

/** What `Keyline` gives a queue to work with. */
export interface QueueParts {
  readonly store: QueueStore;
  readonly adder: Adder;
  /** These five only on a transactional queue. */
  readonly record: JobRecord | undefined;
  readonly transactionalAdder: TransactionalAdder | undefined;
  readonly deadTable: DeadTable | undefined;
  readonly signals: JobSignals | undefined;
  readonly outlet: JobOutlet | undefined;
  readonly families: OwnFamilies;
  /** The same, only of a plain queue. */
  readonly plainFamilies: PlainQueueFamilies | undefined;
  readonly scheduleBook: ScheduleBook;
  readonly rehearsal: Rehearsal | undefined;
  /** Where its dead letters are. */
  readonly shelves: readonly LetterShelf[];
  /** The same, only of a transactional queue, where rows are read while Valkey is away. */
  readonly readable: readonly ReadableShelf[] | undefined;
  readonly policy: QueuePolicy;
  readonly schema: StandardSchemaV1 | undefined;
  readonly logger: Logger;
  readonly tails: StreamTails;
  readonly gatekeeper: Gatekeeper;
  readonly canceller: Canceller;
  readonly listening: Listening;
  readonly sighting: Sighting;
  readonly jobs: PlainJobs | RowJobs;
  readonly promotion: Promotion;
  readonly updates: JobUpdates;
  createBlockingConnection(blockMs: number): ValkeyConnection;
  readonly workers: Set<{ stop(options?: { readonly timeout?: number }): Promise<void> }>;
  readonly door: Door;
  readonly seam: Seam;
}
