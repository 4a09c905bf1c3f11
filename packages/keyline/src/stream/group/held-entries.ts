import type { HeldEntry } from "./held-entry.ts";

/** What this process knows that its consumer has: from when a reply brought it until Valkey knows its end. */
export class HeldEntries<Data> {
  readonly #entries = new Map<string, HeldEntry<Data>>();

  get(id: string): HeldEntry<Data> | undefined {
    return this.#entries.get(id);
  }

  add(entry: HeldEntry<Data>): void {
    this.#entries.set(entry.id, entry);
  }

  remove({ id }: HeldEntry<Data>): void {
    this.#entries.delete(id);
  }

  all(): Iterable<HeldEntry<Data>> {
    return this.#entries.values();
  }

  clear(): HeldEntry<Data>[] {
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    return entries;
  }

  /** Those that are pending on the log. */
  firsts(): HeldEntry<Data>[] {
    return [...this.#entries.values()].filter(({ isAgain }) => !isAgain);
  }

  /** The ids of those of `again`. */
  againIds(): string[] {
    return [...this.#entries.values()].filter(({ isAgain }) => isAgain).map(({ id }) => id);
  }
}
