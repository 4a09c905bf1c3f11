import type { Familial } from "../families/familial.ts";

/** What a job is given to wait with. */
export interface Pausing {
  sleep(name: string, ms: number): Promise<void>;
  signalled(name: string, options: { readonly timeout?: number }): Promise<unknown>;
  readonly family: Familial;
}

/**
 * What `job.sleep` and `job.signalled` throw when the job has to wait: it ends the attempt, which is not counted, and the handler is run again from its beginning when the wait is over. Let
 * it pass. A handler that catches it gets the same error from whatever it calls of its job then.
 */
export class Parked extends Error {
  override readonly name = "Parked";
  /** @internal */
  readonly delayMs: number;

  /** @internal */
  constructor(what: string, delayMs: number) {
    super(`${what}: the attempt ends here, and the handler is run again behind it`);
    this.delayMs = delayMs;
  }
}
