import { clearTimeout, setTimeout } from "./clock.ts";

/** How to wait. */
interface Waiting {
  /** The process may end meanwhile: what is waited for is work of others. */
  readonly mayEnd?: boolean;
}

/** Resolves after `ms`, or at once when `signal` is aborted. Never rejects: the caller looks at its own state afterwards. */
export function delay(ms: number, signal?: AbortSignal, { mayEnd = false }: Waiting = {}): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    if (mayEnd) timer.unref();
    function done(): void {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    }
    signal?.addEventListener("abort", done);
  });
}

/** A point that others wait at until somebody calls `notify`; everyone who waits goes on at once. */
export class Notice {
  readonly #waiters = new Set<() => void>();

  notify(): void {
    for (const waiter of this.#waiters) waiter();
  }

  /** Resolves at the next `notify`, after `ms`, or when `signal` is aborted. */
  wait(ms?: number, signal?: AbortSignal, { mayEnd = false }: Waiting = {}): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiters.delete(done);
        signal?.removeEventListener("abort", done);
        resolve();
      };
      const timer = ms === undefined ? undefined : setTimeout(done, ms);
      if (mayEnd) timer?.unref();
      this.#waiters.add(done);
      signal?.addEventListener("abort", done);
    });
  }
}

/** Waits between tries that failed: doubling from `first` to `max`, with up to a fifth left to chance. */
export function retryDelay(tries: number, { first = 50, max = 1_000 } = {}): number {
  const wait = Math.min(first * 2 ** Math.min(tries, 20), max);
  return wait * (1 - 0.2 * Math.random());
}
