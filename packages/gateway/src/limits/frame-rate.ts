/** Seconds of frames that may come at once: what a slow network held back arrives together. */
const burstSeconds = 2;

/** How many frames one connection may send: a bucket that fills with `perSecond`, and holds as many as come in two seconds. */
export class FrameRate {
  readonly #perSecond: number;
  #left: number;
  #filledAt: number;

  constructor(perSecond: number, now = performance.now()) {
    this.#perSecond = perSecond;
    this.#left = perSecond * burstSeconds;
    this.#filledAt = now;
  }

  /** Takes one out; false when there is none. */
  take(now = performance.now()): boolean {
    const added = ((now - this.#filledAt) / 1_000) * this.#perSecond;
    this.#left = Math.min(this.#perSecond * burstSeconds, this.#left + added);
    this.#filledAt = now;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}
