import { Backoff } from "./backoff.ts";
import type { Environment } from "./environment.ts";

/** Does something again later, each time later than the time before, until it is told that it went well. */
export class Retry {
  readonly #environment: Environment;
  readonly #backoff: Backoff;
  #cancel: (() => void) | undefined;

  constructor(environment: Environment) {
    this.#environment = environment;
    this.#backoff = new Backoff(environment.random);
  }

  schedule(action: () => void): void {
    this.cancel();
    this.#cancel = this.#environment.after(this.#backoff.next(), action);
  }

  /** Forgets what is scheduled, not how often it has failed. */
  cancel(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  succeeded(): void {
    this.cancel();
    this.#backoff.reset();
  }
}
