import { clearTimeout, setTimeout } from "../../runtime/clock.ts";
import { KeylineError, toError } from "../../runtime/errors.ts";
import type { WaitOptions } from "./wait-options.ts";

interface Wait {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** A job that somebody waits for, and what is known of it. */
export class Awaited {
  readonly id: string;
  /** It was seen before its end. */
  wasThere = false;
  /** Whether its result is kept; undefined where that is not known. */
  isKept: boolean | undefined;
  /** Workers are asked to tell its end, as nothing will be left of it. */
  isTracked = false;
  /** The result that was told of it, where that may be of a job before it. */
  told: string | undefined;
  /** Valkey may have lost its memory since. */
  isDoubtful = false;
  readonly #queue: string;
  readonly #waits = new Set<Wait>();

  constructor(id: string, queue: string) {
    this.id = id;
    this.#queue = queue;
  }

  get isOver(): boolean {
    return this.#waits.size === 0;
  }

  /** One more waits for it. `left` is called when he does not any longer. */
  wait({ timeout, signal }: WaitOptions, left: () => void): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
        this.#waits.delete(wait);
        left();
      };
      const wait: Wait = {
        resolve: (value) => {
          leave();
          resolve(value);
        },
        reject: (error) => {
          leave();
          reject(error);
        },
      };
      const abort = (): void => wait.reject(toError(signal?.reason));
      const timer = timeout === undefined ? undefined : setTimeout(() => wait.reject(this.#tooLate(timeout)), timeout);
      signal?.addEventListener("abort", abort);
      this.#waits.add(wait);
    });
  }

  resolve(value: unknown): void {
    for (const wait of this.#waits) wait.resolve(value);
  }

  reject(error: Error): void {
    for (const wait of this.#waits) wait.reject(error);
  }

  #tooLate(timeout: number): KeylineError {
    const what = `Job ${this.id} of queue ${this.#queue} has not ended within ${timeout} ms`;
    return new KeylineError("TIMEOUT", `${what}: it goes on, and can be waited for again`);
  }
}
