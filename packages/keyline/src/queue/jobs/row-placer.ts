import type { JobRow } from "../../postgres/job/job-row.ts";
import type { UpdatedRows } from "../../postgres/job/updated-rows.ts";
import type { ReplacedState } from "../../valkey/queue/job-pages.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import { committedRow } from "../add/committed.ts";
import type { JobOutlet } from "../add/job-outlet.ts";
import { withPriority } from "../element-text.ts";
import { findElement, isHeld, replaceFound } from "./job-finder.ts";

interface PlacerParts {
  readonly rows: Pick<UpdatedRows, "read">;
  readonly outlet: Pick<JobOutlet, "pushCommitted" | "flushed" | "notes">;
}

const tries = 10;

/** Brings elements where their rows say. */
export class RowPlacer {
  readonly #store: QueueStore;
  readonly #parts: PlacerParts;

  constructor(store: QueueStore, parts: PlacerParts) {
    this.#store = store;
    this.#parts = parts;
  }

  /** 4 of job-updates.ts. Returns where it is then. */
  async place(written: JobRow): Promise<ReplacedState | undefined> {
    const { rows, outlet } = this.#parts;
    let state: ReplacedState | undefined;
    let row: JobRow | undefined = written;
    for (let tried = 0; row && tried < tries; tried++) {
      const { id, delay, priority }: JobRow = row;
      const found = await findElement(this.#store, id);
      if (found && isHeld(found)) return state;
      if (!found) {
        outlet.pushCommitted([committedRow(row, { isAgain: true })]);
        return state;
      }
      const element = withPriority(found.raw, priority ?? "normal");
      const replacement = { old: found.raw, element, due: { delayMs: delay }, isMoved: element !== found.raw };
      state = (await replaceFound(this.#store, found, replacement)) ?? state;
      const now: JobRow | undefined = await rows.read(id);
      if (!now) {
        await this.#dropSoon(id);
        return state;
      }
      const isSame = now.priority === priority && Math.abs(now.delay - delay) < 1_000;
      if (state && isSame) return state;
      row = now;
    }
    return state;
  }

  /** It is noted as undelivered until its element is there. The same COMMIT may have added it. */
  async placeCommitted({ id }: JobRow): Promise<void> {
    const { rows, outlet } = this.#parts;
    await outlet.flushed();
    const epoch = await this.#store.memory.writtenEpoch();
    const row = await rows.read(id);
    if (row && (await this.place(row)) && epoch !== null) outlet.notes.note(epoch, [id]);
  }

  /** It has ended meanwhile, and may have been moved behind the look of who cancelled it. A worker that takes its element finds no row, and drops it. */
  async #dropSoon(id: string): Promise<void> {
    const found = await findElement(this.#store, id);
    if (!found || isHeld(found)) return;
    await replaceFound(this.#store, found, { old: found.raw, element: found.raw, due: { delayMs: 0 }, isMoved: false });
  }
}
