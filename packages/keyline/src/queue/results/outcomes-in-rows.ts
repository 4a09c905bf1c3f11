import type { OutcomeRow, OutcomeTable } from "../../postgres/job/outcome-table.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import { none, type Found, type OutcomeShelf } from "./found.ts";

/** What became of the jobs of a transactional queue: the record says it. */
export class OutcomesInRows implements OutcomeShelf {
  readonly seek = undefined;
  readonly #table: OutcomeTable;
  readonly #store: QueueStore;

  constructor(table: OutcomeTable, store: QueueStore) {
    this.#table = table;
    this.#store = store;
  }

  async find(ids: readonly string[]): Promise<readonly Found[]> {
    const rows = await this.#table.find(ids);
    const workers = rows.some((row) => row.state === null && row.open_in !== null) ? await this.#workers() : undefined;
    return rows.map((row) => toFound(row, workers));
  }

  // Asked after the rows: a worker that is here can still write the result of a handler that has not come back.
  async #workers(): Promise<ReadonlySet<string>> {
    return new Set(await this.#store.leases.live());
  }
}

function toFound(row: OutcomeRow, workers: ReadonlySet<string> | undefined): Found {
  const { state, keep, reason, attempts, outcome, value, open_in: openIn } = row;
  if (state === "dead") return { state, reason: reason ?? "", attempts: attempts ?? 0 };
  if (state === "cancelled") return { state };
  if (state !== null) return { state: "open", isKept: keep === null ? undefined : keep > 0 };
  if (outcome === "cancelled") return { state: "cancelled" };
  if (outcome === null) return none;
  if (openIn !== null && workers?.has(openIn)) return { state: "open", isKept: true };
  return { state: "completed", json: value ?? undefined };
}
