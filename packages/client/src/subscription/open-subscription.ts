import { ClientError, closed, isPassing, toError } from "../client-error.ts";
import type { SubscriptionFrame, Refusal } from "../connection/frames.ts";
import type { Lasting } from "../connection/lasting.ts";
import { call } from "../runtime/call.ts";
import type { Environment } from "../runtime/environment.ts";
import { Backoff } from "../runtime/backoff.ts";
import { isGap, type Gap, type Item } from "./message.ts";
import type { SubscribeOptions, Subscription } from "./subscription.ts";

/** Where the messages of a subscription go. */
export interface Receiver {
  /** Whether there was room for the item. */
  take(item: Item<unknown>): boolean;
  end?(error: ClientError | undefined): void;
}

interface OpenSubscriptionParts extends SubscribeOptions {
  readonly channel: string;
  readonly environment: Environment;
  /** Asks the gateway to begin after `since`, if there is a connection. */
  askFor(since: string | undefined): void;
  onEnd(error: ClientError | undefined): void;
  /** It has ended, and no frame for it can come any more. */
  onGone(): void;
}

/**
 * DESIGN. Each subscription is one of its own on the wire, also among several of one channel: so each has its own beginning and
 * its own replay, and none sees what another has asked for. Two places are kept:
 *
 * - `#position`, up to which everything has arrived. With it the subscription is asked for again after each connection, so nothing
 *   comes twice and nothing is left out. It moves with each message that has a cursor (those of other programs have none), and is
 *   the gateway's `cursor` before the first;
 * - `cursor`, up to which everything has been handed over: what waits in the receiver is still to come, also after a new connection.
 *
 * A channel without history has no position: what was published while the connection was away is announced as a gap.
 */
export class OpenSubscription implements Subscription, Lasting {
  readonly channel: string;
  readonly #parts: OpenSubscriptionParts;
  readonly #backoff: Backoff;
  readonly #ready = Promise.withResolvers<void>();
  readonly #closed = Promise.withResolvers<ClientError | undefined>();
  readonly ready = this.#ready.promise;
  readonly closed = this.#closed.promise;
  readonly #onAbort = (): void => this.end();
  #receiver: Receiver | undefined;
  #position: string | undefined;
  #cursor: string | undefined;
  #wasConfirmed = false;
  #isEnded = false;
  /** Why messages are missing that come between two confirmations on a channel without history. */
  #blindReason: "disconnected" | "dropped" = "disconnected";

  constructor(parts: OpenSubscriptionParts) {
    this.#parts = parts;
    this.channel = parts.channel;
    this.#position = parts.since;
    this.#cursor = parts.since === "earliest" ? undefined : parts.since;
    this.#backoff = new Backoff(parts.environment);
    this.ready.catch(() => undefined);
  }

  get cursor(): string | undefined {
    return this.#cursor;
  }

  /** Asks the gateway, as soon as there is a connection, and hands what comes to `receiver`. */
  open(receiver: Receiver): void {
    const { signal } = this.#parts;
    this.#receiver = receiver;
    signal?.addEventListener("abort", this.#onAbort);
    if (signal?.aborted) this.end();
    else this.ask();
  }

  ask(): void {
    this.#backoff.cancel();
    if (this.#isEnded) this.#parts.onGone();
    else this.#parts.askFor(this.#position);
  }

  take(frame: SubscriptionFrame | Refusal): void {
    const { channel } = this;
    if (this.#isEnded) {
      if (frame.type === "unsubscribed") this.#parts.onGone();
      return;
    }
    if (frame.type === "error") return this.#refuse(toError(frame));
    if (frame.type === "unsubscribed") {
      return this.#refuse(new ClientError(frame.code ?? "CLOSED", `The subscription of ${channel} was ended by the gateway`));
    }
    const cursor = frame.cursor ?? undefined;
    if (frame.type === "subscribed") return this.#confirm(cursor);
    this.#position = cursor ?? this.#position;
    if (frame.type === "gap") this.#pass({ channel, reason: frame.reason, missed: frame.missed ?? undefined, cursor });
    else this.#pass({ channel, id: frame.id, data: frame.data, at: frame.at, cursor });
  }

  /** To be called for every item at the moment it is handed over. */
  handOver(item: Item<unknown>): void {
    this.#cursor = item.cursor ?? this.#cursor;
    if (isGap(item) && this.#parts.onGap) call<Gap>(this.#parts.onGap, item);
  }

  end(error?: ClientError): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#backoff.cancel();
    this.#parts.signal?.removeEventListener("abort", this.#onAbort);
    this.#ready.reject(error ?? closed(`The subscription of ${this.channel}`));
    this.#closed.resolve(error);
    this.#parts.onEnd(error);
    this.#receiver?.end?.(error);
  }

  async close(): Promise<void> {
    this.end();
  }

  #confirm(cursor: string | undefined): void {
    const isBlind = this.#wasConfirmed && this.#position === undefined;
    this.#wasConfirmed = true;
    // Never past where it was: should the connection end before the gap that is found now is told, it is found again.
    if (cursor === undefined || this.#position === undefined || this.#position === "earliest") this.#position = cursor;
    this.#cursor ??= cursor;
    this.#backoff.reset();
    this.#ready.resolve();
    if (isBlind) this.#pass({ channel: this.channel, reason: this.#blindReason, missed: undefined, cursor });
    this.#blindReason = "disconnected";
  }

  #pass(item: Item<unknown>): void {
    if (this.#isEnded || this.#receiver?.take(item)) return;
    this.end(new ClientError("SLOW_RECEIVER", `The buffer of ${this.channel} is full: iterate faster, or subscribe since its cursor`));
  }

  #refuse(error: ClientError): void {
    if (!isPassing(error)) return this.end(error);
    if (error.code === "SLOW_RECEIVER") this.#blindReason = "dropped";
    this.#backoff.later(() => this.ask());
  }
}
