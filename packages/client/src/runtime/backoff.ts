const firstMs = 100;
const longestMs = 20_000;

/**
 * Waits between tries that failed: anything from nothing to a bound that doubles from 100 ms to 20 s. All of it is left to chance
 * ("full jitter"), so that the clients of a gateway that died do not come back to the next one as one wave
 * (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
 */
export class Backoff {
  readonly #random: () => number;
  #tries = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  next(): number {
    const bound = Math.min(longestMs, firstMs * 2 ** Math.min(this.#tries++, 20));
    return Math.round(bound * this.#random());
  }

  reset(): void {
    this.#tries = 0;
  }
}
