interface Waiter {
  readonly after: string;
  readonly resolve: () => void;
}

type Newest = readonly [key: string, entries: readonly [id: string, fields: string[]][]];

/** Who waits for the next entry of which stream, and after which one. */
export class TailWaiters {
  readonly #isBefore: (a: string, b: string) => boolean;
  readonly #waiters = new Map<string, Set<Waiter>>();

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
      const waiters = this.#waiters.get(key) ?? new Set();
      this.#waiters.set(key, waiters);
      const leave = (): void => {
        waiters.delete(waiter);
        if (waiters.size === 0 && this.#waiters.get(key) === waiters) this.#waiters.delete(key);
        signal.removeEventListener("abort", leave);
        resolve();
      };
      const waiter: Waiter = { after, resolve: leave };
      waiters.add(waiter);
      signal.addEventListener("abort", leave);
    });
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

  wakeAll(): void {
    this.wakeAfter(() => true);
  }

  /** Wakes those who wait after such a place. */
  wakeAfter(isSuch: (after: string) => boolean): void {
    for (const waiters of this.#waiters.values()) for (const { after, resolve } of waiters) if (isSuch(after)) resolve();
  }

  /** Wakes those for whom something is in the reply of an XREAD. */
  wakeFor(reply: readonly Newest[]): void {
    for (const [key, entries] of reply) {
      const newest = entries.at(-1)?.[0];
      for (const { after, resolve } of this.#waiters.get(key) ?? []) if (newest !== undefined && this.#isBefore(after, newest)) resolve();
    }
  }
}
