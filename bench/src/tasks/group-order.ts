/** Notes when a job of a group does not come right behind the one that was added to that group before it. */
export class GroupOrder {
  readonly #next: Float64Array;
  #irregularity: string | undefined;

  /** Job numbers go through the groups by turns. */
  constructor(groups: number) {
    this.#next = Float64Array.from({ length: groups }, (_, group) => group);
  }

  /** What went wrong first. */
  get irregularity(): string | undefined {
    return this.#irregularity;
  }

  record(seq: number): void {
    const groups = this.#next.length;
    const group = seq % groups;
    const expected = this.#next[group];
    if (seq !== expected) this.#irregularity ??= `Group ${group} got job ${seq} instead of ${expected}.`;
    this.#next[group] = seq + groups;
  }
}
