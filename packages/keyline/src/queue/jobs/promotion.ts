import type { PromotedRows } from "../../postgres/job/promoted-rows.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import { committedRow } from "../add/committed.ts";
import type { JobOutlet } from "../add/job-outlet.ts";
import { walk } from "./job-walk.ts";

interface PromotionParts {
  /** Only of a transactional queue. */
  readonly record: { readonly rows: PromotedRows; readonly outlet: Pick<JobOutlet, "pushCommitted"> } | undefined;
}

/**
 * Makes scheduled jobs due now. On a transactional queue the row says so first, and so a rebuild does too; then its element is moved. Where there is none on
 * Valkey another copy goes there, and of two copies the second is dropped, as ever. _The process dies between the two:_ the element is due when it was.
 */
export class Promotion {
  readonly #store: QueueStore;
  readonly #record: PromotionParts["record"];

  constructor(store: QueueStore, { record }: PromotionParts) {
    this.#store = store;
    this.#record = record;
  }

  /** False when the job is not scheduled. */
  async promote(id: string): Promise<boolean> {
    await this.#store.connection.ensureReady(5_000);
    const row = await this.#record?.rows.promote(id);
    if (this.#record && !row) return false;
    const isThere = await this.#move(id);
    if (row && !isThere) this.#record?.outlet.pushCommitted([committedRow(row, { isAgain: true })]);
    return isThere || row !== undefined;
  }

  async #move(id: string): Promise<boolean> {
    let isThere = false;
    await walk(
      this.#store,
      { scheduled: true, waiting: true, running: false, group: undefined },
      {
        wait: async (place, at) => {
          if (place.startsWith("waiting") || isThere) return undefined;
          const page = await this.#store.jobPages.promote(place, at, id);
          isThere ||= page.isThere;
          return isThere ? "enough" : page.next;
        },
        held: () => Promise.resolve(undefined),
      },
    );
    return isThere;
  }
}
