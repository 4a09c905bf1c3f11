/**
 * How often in a row commands of each kind failed. That one kind succeeds says nothing of another: a wait that any success ended would
 * never grow while one command is refused and its neighbours are not.
 */
export class Setbacks<Kind> {
  readonly #counts = new Map<Kind, number>();

  /** The most of any kind. */
  get most(): number {
    return Math.max(0, ...this.#counts.values());
  }

  /** Returns how often it has failed by now. */
  note(kind: Kind): number {
    const count = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, count);
    return count;
  }

  clear(kind: Kind): void {
    this.#counts.delete(kind);
  }

  forget(): void {
    this.#counts.clear();
  }
}
