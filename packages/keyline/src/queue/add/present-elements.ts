import type { HeldElements, RowState } from "../../postgres/job/outlet.ts";
import type { HeldState } from "../../valkey/queue/reads.ts";

/**
 * Which elements of a queue's jobs were met. One that is older than its row is none: the row refuses its end, and it is dropped. Valkey has such ones where it came back with what its disk
 * had before, or where a job was delivered again; the one that counts may be met before them or behind them. Of a job that was updated and has not begun since it has the field `latest`.
 */
export class PresentElements implements HeldElements {
  /** Most jobs are neither tried nor parked: their ids are all there is to remember. */
  readonly #fresh = new Set<string>();
  readonly #others = new Map<string, HeldState>();
  /** The same of those that have that field. */
  #latest: PresentElements | undefined;

  note(state: HeldState): void {
    const { id, attempts, parks, isLatest } = state;
    if (isLatest) (this.#latest ??= new PresentElements()).note({ ...state, isLatest: false });
    if (attempts === 0 && parks === 0) {
      this.#fresh.add(id);
      return;
    }
    const known = this.#others.get(id);
    if (!known || parks > known.parks || (parks === known.parks && attempts > known.attempts)) this.#others.set(id, state);
  }

  has(row: RowState): boolean {
    return row.is_changed && row.is_latest ? this.#latest !== undefined && this.#latest.#has(row) : this.#has(row);
  }

  #has({ id, attempts, parks }: RowState): boolean {
    if (attempts === 0 && (parks ?? 0) === 0 && this.#fresh.has(id)) return true;
    const state = this.#others.get(id);
    return state !== undefined && state.attempts >= attempts && state.parks >= (parks ?? 0);
  }
}
