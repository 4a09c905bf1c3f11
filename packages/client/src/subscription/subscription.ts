import type { ClientError } from "../client-error.ts";
import type { Gap, Message } from "./message.ts";

export interface SubscribeOptions {
  /** Resumes after this cursor, or begins with the oldest message kept ("earliest"). Default: from now on. */
  readonly since?: string | undefined;
  /** Called in order, before the first message after what is missing. */
  readonly onGap?: ((gap: Gap) => void) | undefined;
  /** Closes the subscription. */
  readonly signal?: AbortSignal | undefined;
}

export interface IterateOptions extends SubscribeOptions {
  /** How many messages are kept for an iteration that is busy. Default 1,000. */
  readonly buffer?: number | undefined;
}

/** A subscription of one channel. It outlives connections: after each it goes on where it was. */
export interface Subscription {
  readonly channel: string;
  /** Up to here everything was handed over. Kept and passed as `since`, a later subscription goes on from here. */
  readonly cursor: string | undefined;
  /** Resolves when the gateway has confirmed the subscription. Rejects when it ends before; nobody needs to wait for it. */
  readonly ready: Promise<void>;
  /** Resolves when the subscription has ended: with the reason, or undefined after `close` and `signal`. Never rejects. */
  readonly closed: Promise<ClientError | undefined>;
  /** Ends the subscription at once: nothing is handed over after this was called. */
  close(): Promise<void>;
}

export interface IterableSubscription<Data> extends Subscription, AsyncIterable<Message<Data>, undefined> {}
