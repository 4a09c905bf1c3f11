import type { Deadline, Deadlines } from "../../runtime/deadlines.ts";
import { KeylineError, toError } from "../../runtime/errors.ts";
import { parseJson } from "../../runtime/json.ts";
import type { WaitOptions } from "./wait-options.ts";

interface Wait {
  resolve(value: unknown): void;
  reject(error: Error): void;
  readonly deadline: Deadline | undefined;
  readonly stopListening: (() => void) | undefined;
}

interface AwaitedParts {
  readonly queue: string;
  readonly deadlines: Deadlines;
  /** Nobody waits for it any longer. */
  readonly over: (awaited: Awaited) => void;
}

/** A job that somebody waits for, and what is known of it. */
export class Awaited {
  readonly id: string;
  /** It was seen before its end. */
  wasThere = false;
  /** Its id is one of Keyline's own, as this process has made it. */
  isOwn = false;
  /** Whether its result is kept; undefined where that is not known. */
  isKept: boolean | undefined;
  /** Workers are asked to tell its end, as nothing will be left of it. */
  isTracked = false;
  /** The result that was told of it, where that may be of a job before it. */
  told: string | undefined;
  /** Valkey may have lost its memory since. */
  isDoubtful = false;
  readonly #parts: AwaitedParts;
  readonly #waits = new Set<Wait>();

  constructor(id: string, parts: AwaitedParts) {
    this.id = id;
    this.#parts = parts;
  }

  /** One more waits for it. */
  wait({ timeout, signal }: WaitOptions): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const wait: Wait = {
        resolve,
        reject,
        deadline: timeout === undefined ? undefined : this.#parts.deadlines.set(timeout, () => this.#fail(wait, this.#tooLate(timeout))),
        stopListening: signal && this.#listen(signal, () => this.#fail(wait, toError(signal.reason))),
      };
      this.#waits.add(wait);
    });
  }

  /** It was completed with this result, as JSON; empty where there is none. */
  complete(json: string): void {
    this.resolve(json === "" ? undefined : parseJson(json));
  }

  resolve(value: unknown): void {
    for (const wait of this.#waits) {
      this.#leave(wait);
      wait.resolve(value);
    }
  }

  reject(error: Error): void {
    for (const wait of this.#waits) this.#fail(wait, error);
  }

  #fail(wait: Wait, error: Error): void {
    this.#leave(wait);
    wait.reject(error);
  }

  #leave(wait: Wait): void {
    if (wait.deadline) this.#parts.deadlines.clear(wait.deadline);
    wait.stopListening?.();
    this.#waits.delete(wait);
    if (this.#waits.size === 0) this.#parts.over(this);
  }

  #listen(signal: AbortSignal, aborted: () => void): () => void {
    signal.addEventListener("abort", aborted);
    return () => signal.removeEventListener("abort", aborted);
  }

  #tooLate(timeout: number): KeylineError {
    const what = `Job ${this.id} of queue ${this.#parts.queue} has not ended within ${timeout} ms`;
    return new KeylineError("TIMEOUT", `${what}: it goes on, and can be waited for again`);
  }
}
