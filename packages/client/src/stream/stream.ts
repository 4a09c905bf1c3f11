import type { ClientError } from "../client-error.ts";
import type { SendOptions } from "../publish.ts";
import type { Entry, StreamGap } from "./entry.ts";

export interface FollowOptions {
  /** Behind which place: an id, a time (a Date, or milliseconds since 1970), or "-" for the beginning. Default: from now on. */
  readonly after?: string | number | Date | undefined;
  /** Only the entries of this key. */
  readonly key?: string | undefined;
  /** Called in order, before the first entry after what is missing. */
  readonly onGap?: ((gap: StreamGap) => void) | undefined;
  /** Closes it. */
  readonly signal?: AbortSignal | undefined;
}

export interface IterateFollowOptions extends FollowOptions {
  /** How many entries are kept for an iteration that is busy; the others wait at the gateway. Default 1,000. */
  readonly buffer?: number | undefined;
}

/** A stream that is followed. It outlives connections: after each it goes on behind the last entry. */
export interface Following {
  readonly stream: string;
  /** Up to here everything was handed over. Kept and passed as `after`, it goes on from here later. */
  readonly cursor: string | undefined;
  /** Resolves when the gateway has confirmed it. Rejects when it ends before; nobody needs to wait for it. */
  readonly ready: Promise<void>;
  /** Resolves when it has ended: with the reason, or undefined after `close` and `signal`. Never rejects. */
  readonly closed: Promise<ClientError | undefined>;
  /** Ends it at once: nothing is handed over after this was called. */
  close(): Promise<void>;
}

export interface IterableFollowing<Data> extends Following, AsyncIterable<Entry<Data>, undefined> {}

export interface AppendOptions extends SendOptions {
  /** A second append with a key that the stream still remembers appends nothing, and is answered with the id of the first. */
  readonly idempotencyKey?: string | undefined;
}

export interface AppendResult {
  readonly id: string;
  /** False when the idempotency key was known. */
  readonly appended: boolean;
}

/** A stream of the gateway. */
export interface LiveStream<Data = unknown> {
  /**
   * Follows the stream, also while there is no connection. With a listener, it is called for each entry as it arrives; without one it is
   * iterated, and an iteration that is slow holds back the stream. Over lost connections each entry comes once and in order, or `onGap` says that
   * some are missing.
   *
   * Ends with FORBIDDEN, UNKNOWN_STREAM, INVALID_ID or TOKEN_REVOKED when the gateway refuses; throws INVALID_OPTION.
   *
   * @example
   * for await (const entry of live.stream<Review>("reviews").follow({ after: lastId })) show(entry.data);
   */
  follow(options?: IterateFollowOptions): IterableFollowing<Data>;
  follow(listener: (entry: Entry<Data>) => void, options?: FollowOptions): Following;
  /**
   * Appends an event. Rejects as `publish` does; after OUTCOME_UNKNOWN it may be appended again with the same `idempotencyKey`.
   *
   * @example
   * const { id } = await live.stream("reviews").append({ stars: 5 }, { idempotencyKey: crypto.randomUUID() });
   */
  append(data: Data, options?: AppendOptions): Promise<AppendResult>;
}
