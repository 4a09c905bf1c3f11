// What nothing is known of counts as slow.
const unknownMs = 50;
// An estimate falls by a tenth with each look, and rises at once.
const remembered = 0.9;

/** How long handlers of one worker took lately: nearer to the slowest of them than to the others. */
export class Pace {
  #ms = unknownMs;

  /** Milliseconds for one job. */
  get ms(): number {
    return this.#ms;
  }

  /** One took so long, or has been at it for so long. */
  note(ms: number): void {
    this.#ms = Math.max(ms, this.#ms * remembered);
  }
}
