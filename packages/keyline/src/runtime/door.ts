import { KeylineError } from "./errors.ts";

/** Whether a Keyline is open, and what it has accepted: what was called before `close` is done, what comes after it is refused. */
export class Door {
  readonly #accepted = new Set<Promise<unknown>>();
  #state: "open" | "closing" | "shut" = "open";

  /** Throws CLOSED. What handlers that still run call while they are waited for is let through. */
  check(): void {
    if (this.#state === "shut") throw closed();
  }

  /** The same for what would go on until it is stopped: nothing of that begins once `close` was called. */
  checkOpen(): void {
    if (this.#state !== "open") throw closed();
  }

  /** Does the work, and has `shut` wait for its end. Rejects with CLOSED. */
  accept<Result>(work: () => Promise<Result>): Promise<Result> {
    return this.#state === "shut" ? Promise.reject(closed()) : this.follow(work());
  }

  /** Has `shut` wait for the end of what was let through. */
  follow<Result>(accepted: Promise<Result>): Promise<Result> {
    this.#accepted.add(accepted);
    const forget = (): void => void this.#accepted.delete(accepted);
    accepted.then(forget, forget);
    return accepted;
  }

  /** Nothing begins any more that would go on until it is stopped. */
  close(): void {
    if (this.#state === "open") this.#state = "closing";
  }

  /** Refuses everything. Resolves when what was accepted has ended. */
  async shut(): Promise<void> {
    this.#state = "shut";
    while (this.#accepted.size > 0) await Promise.allSettled(this.#accepted);
  }
}

function closed(): KeylineError {
  return new KeylineError("CLOSED", "This Keyline was closed: make a new one");
}
