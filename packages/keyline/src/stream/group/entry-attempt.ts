import type { Entry } from "../entry.ts";
import { timeOf } from "../entry-id.ts";

/** One attempt at an entry, as the handler of a consumer group gets it. */
export class EntryAttempt<Data> implements Entry<Data> {
  readonly id: string;
  readonly key: string | undefined;
  readonly data: Data;
  /** 1 for the first attempt. */
  readonly attempt: number;
  readonly group: string;
  readonly stream: string;
  #abort: AbortController | undefined;
  #abortReason: Error | undefined;

  /** @internal */
  constructor(
    { id, key, attempt }: { readonly id: string; readonly key: string | undefined; readonly attempt: number },
    data: Data,
    { group, stream }: { readonly group: string; readonly stream: string },
  ) {
    this.id = id;
    this.key = key;
    this.data = data;
    this.attempt = attempt;
    this.group = group;
    this.stream = stream;
  }

  /** When it was appended, in milliseconds since 1970. */
  get at(): number {
    return timeOf(this.id);
  }

  /**
   * Aborted when going on is pointless: the attempt's time is up (TIMEOUT), the entry was given to somebody else (LEASE_LOST), or the
   * consumer stops without waiting any longer (STOPPED). Its `reason` is a KeylineError of that code.
   */
  get signal(): AbortSignal {
    // Made when it is asked for: most handlers never do.
    this.#abort ??= new AbortController();
    if (this.#abortReason) this.#abort.abort(this.#abortReason);
    return this.#abort.signal;
  }

  /** @internal */
  abort(reason: Error): void {
    this.#abortReason ??= reason;
    this.#abort?.abort(this.#abortReason);
  }

  /** @internal */
  get abortReason(): Error | undefined {
    return this.#abortReason;
  }
}
