import type { DeliveryNotes } from "./delivery-notes.ts";
import type { JobRow } from "./job-row.ts";
import type { JobTable } from "./job-table.ts";

/** What tells whether an element is as its row is. */
export type RowState = Pick<JobRow, "id" | "attempts" | "parks" | "is_latest" | "is_changed">;

export interface HeldElements {
  /** Whether an element of the job is there that is not older than its row. */
  has(job: RowState): boolean;
}

/** The way from the rows of one queue to Valkey. */
export interface Outlet {
  readonly table: JobTable;
  readonly notes: DeliveryNotes;
  /** False while Valkey is away. */
  readonly isOpen: boolean;
  /** The epoch of the server that would be delivered to. */
  epoch(): Promise<string>;
  /** Brings limits and pauses back that Valkey has lost. */
  restoreGates(): Promise<void>;
  /** Delivers the jobs and returns an epoch that is not newer than the one they were delivered to. */
  deliver(jobs: readonly JobRow[]): Promise<string>;
  /** What Valkey holds of the queue. */
  held(): Promise<HeldElements>;
}
