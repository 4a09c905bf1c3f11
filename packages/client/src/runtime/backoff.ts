import type { Environment } from "./environment.ts";

const firstMs = 100;
const longestMs = 20_000;

/**
 * Waits between tries that failed: anything from nothing to a bound that doubles from 100 ms to 20 s. All of it is left to chance
 * ("full jitter"), so that the clients of a gateway that died do not come back to the next one as one wave
 * (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
 */
export class Backoff {
  readonly #environment: Environment;
  #tries = 0;
  #cancel: (() => void) | undefined;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  next(): number {
    return Math.round(Math.min(longestMs, firstMs * 2 ** this.#tries++) * this.#environment.random());
  }

  /** Does it after the next wait, instead of what was to be done later. */
  later(action: () => void): void {
    this.cancel();
    this.#cancel = this.#environment.after(this.next(), action);
  }

  /** Forgets what is to be done later, not how often it has failed. */
  cancel(): void {
    this.#cancel?.();
  }

  /** It went well. */
  reset(): void {
    this.cancel();
    this.#tries = 0;
  }
}
