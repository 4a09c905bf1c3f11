import type { Database } from "../client/database.ts";
import type { Statement } from "../client/statement.ts";

const note: Statement = { name: "keyline-note-deliveries", text: "SELECT keyline.note_deliveries($1, $2, $3::bigint[]) AS is_in_charge" };

const release: Statement = { name: "keyline-release-delivery", text: "SELECT keyline.release_delivery($1::bigint, $2) AS is_done" };

const releasePage = 5_000;

/** What is known of jobs of one queue that were added together, as far as they are not noted as delivered. */
export class DeliveryTable {
  readonly database: Database;
  readonly queue: string;

  constructor(database: Database, queue: string) {
    this.database = database;
    this.queue = queue;
  }

  /** Notes that all jobs of these deliveries went to `epoch`, if that is in charge, and returns whether it is. */
  async note(epoch: string, ids: readonly string[]): Promise<boolean> {
    const [row] = await this.database.query<{ is_in_charge: boolean }>(note, [this.queue, epoch, ids]);
    return row?.is_in_charge ?? false;
  }

  /** Leaves the jobs of a delivery to the relay, unless it was noted meanwhile. */
  async release(id: string): Promise<void> {
    for (let isDone = false; !isDone;) {
      const [row] = await this.database.query<{ is_done: boolean }>(release, [id, releasePage]);
      isDone = row?.is_done ?? true;
    }
  }
}
