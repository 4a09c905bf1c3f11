/** Why somebody goes on: an entry behind his place (none may be between), or that some may have been missed, or that he has waited for long. */
export type Wake = readonly [id: string, fields: string[]] | "broken" | "late";

/** One who waits after an entry. Whoever stays moves `after` on by himself when he is woken, at once. */
export interface TailWaiter {
  readonly after: string;
  wake(why: Wake): void;
}

/** A stream with news, and the newest of them. */
export type Newest = readonly [key: string, entries: readonly [id: string, fields: string[]][]];

/** Who waits for the next entry of which stream, and after which one. */
export class TailWaiters {
  readonly #isBefore: (a: string, b: string) => boolean;
  readonly #waiters = new Map<string, Set<TailWaiter>>();

  /** `isBefore` says whether stream id `a` is before `b`. */
  constructor(isBefore: (a: string, b: string) => boolean) {
    this.#isBefore = isBefore;
  }

  get isEmpty(): boolean {
    return this.#waiters.size === 0;
  }

  /** Resolves when somebody wakes it, or when `signal` is aborted. */
  wait(key: string, after: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const leave = (): void => {
        stop();
        signal.removeEventListener("abort", leave);
        resolve();
      };
      const stop = this.join(key, { after, wake: leave });
      signal.addEventListener("abort", leave);
    });
  }

  /** Has `waiter` woken at each entry, until the returned function is called. */
  join(key: string, waiter: TailWaiter): () => void {
    const waiters = this.#waiters.get(key) ?? new Set();
    this.#waiters.set(key, waiters);
    waiters.add(waiter);
    return () => {
      waiters.delete(waiter);
      if (waiters.size === 0 && this.#waiters.get(key) === waiters) this.#waiters.delete(key);
    };
  }

  /** The earliest place of each stream that somebody waits for. */
  earliest(): ReadonlyMap<string, string> {
    const places = new Map<string, string>();
    for (const [key, waiters] of this.#waiters) {
      let first: string | undefined;
      for (const { after } of waiters) if (first === undefined || this.#isBefore(after, first)) first = after;
      if (first !== undefined) places.set(key, first);
    }
    return places;
  }

  /** Whether one who waits at this place has nothing to expect of a read of `asked`. */
  isLeftOut(asked: ReadonlyMap<string, string>, key: string, after: string): boolean {
    const place = asked.get(key);
    return place === undefined || this.#isBefore(after, place);
  }

  isAnyLeftOut(asked: ReadonlyMap<string, string>): boolean {
    for (const [key, waiters] of this.#waiters) for (const { after } of waiters) if (this.isLeftOut(asked, key, after)) return true;
    return false;
  }

  /** Whether somebody waits after such a place. */
  isAnyAfter(isSuch: (after: string) => boolean): boolean {
    for (const waiters of this.#waiters.values()) for (const { after } of waiters) if (isSuch(after)) return true;
    return false;
  }

  wakeAll(why: "broken" | "late"): void {
    this.wakeAfter(() => true, why);
  }

  /** Wakes those who wait after such a place. */
  wakeAfter(isSuch: (after: string) => boolean, why: "broken" | "late"): void {
    for (const waiters of this.#waiters.values()) for (const waiter of waiters) if (isSuch(waiter.after)) waiter.wake(why);
  }

  /** Wakes those for whom something is in the reply of an XREAD of `asked`. */
  wakeFor(reply: readonly Newest[], asked: ReadonlyMap<string, string>): void {
    for (const [key, entries] of reply) {
      const newest = entries.at(-1);
      const waiters = this.#waiters.get(key);
      if (!newest || !waiters) continue;
      const place = asked.get(key);
      // For most the place is the one that was asked for.
      for (const waiter of waiters) if (waiter.after === place || this.#isBefore(waiter.after, newest[0])) waiter.wake(newest);
    }
  }
}
