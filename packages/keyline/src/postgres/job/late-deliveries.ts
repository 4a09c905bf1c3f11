import { performance } from "../../runtime/clock.ts";
import type { JointNotes } from "./joint-notes.ts";

/** So long a process may take to push what was added together, and to note that. */
const patienceMs = 5_000;

/** Deliveries that stay: their process has died, or did not see that they were committed. */
export class LateDeliveries {
  #seen = new Map<string, number>();

  /** Releases those of `found` that have been seen for long; `notesOf` are those of their queue. */
  release(found: readonly { readonly queue: string; readonly id: string }[], notesOf: (queue: string) => JointNotes | undefined): void {
    if (found.length === 0 && this.#seen.size === 0) return;
    const now = performance.now();
    const seen = new Map<string, number>();
    for (const { queue, id } of found) {
      const notes = notesOf(queue);
      if (!notes || notes.has(id)) continue;
      const since = this.#seen.get(id) ?? now;
      seen.set(id, since);
      if (now - since >= patienceMs) notes.release(id);
    }
    this.#seen = seen;
  }
}
