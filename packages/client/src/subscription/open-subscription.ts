import { ClientError, closed, isPassing, toError } from "../client-error.ts";
import type { FollowFrame, Refusal, SubscriptionFrame } from "../connection/frames.ts";
import type { Resumable } from "../connection/resumable.ts";
import { call } from "../runtime/call.ts";
import type { Environment } from "../runtime/environment.ts";
import { Backoff } from "../runtime/backoff.ts";
import { isGap, placeOf, toItem, type Item } from "./item.ts";

/** Where the messages of a subscription go. */
export interface Receiver {
  /** Whether there was room for the item. */
  take(item: Item): boolean;
  end?(error: ClientError | undefined): void;
}

interface OpenSubscriptionParts {
  readonly name: string;
  readonly since: string | undefined;
  readonly onGap?: ((gap: never) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly environment: Environment;
  /** Asks the gateway to begin after `since`, if there is a connection. */
  askFor(since: string | undefined): void;
  /** Has the gateway stop until it is asked again. Without this, a receiver without room ends the subscription. */
  readonly pause: (() => void) | undefined;
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
 *
 * A stream is followed in the same way, and has no end behind which one falls: when the receiver has no room, the gateway is asked to stop, and
 * asked again behind `#position` when the receiver is empty.
 */
export class OpenSubscription implements Resumable {
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
  /** Nothing is taken before the gateway has begun anew. */
  #isPaused = false;
  /** Why messages are missing that come between two confirmations on a channel without history. */
  #blindReason: "disconnected" | "dropped" = "disconnected";

  constructor(parts: OpenSubscriptionParts) {
    this.#parts = parts;
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

  take(frame: SubscriptionFrame | FollowFrame | Refusal): void {
    const { type } = frame;
    if (this.#isEnded) {
      if ("code" in frame && type !== "error") this.#parts.onGone();
    } else if (type === "error") {
      this.#refuse(toError(frame));
    } else if ("code" in frame) {
      // A pause was asked for.
      if (this.#isPaused && !frame.code) return;
      this.#refuse(new ClientError(frame.code ?? "CLOSED", `The subscription of ${this.#parts.name} was ended by the gateway`));
    } else if (type === "subscribed" || type === "following") {
      this.#isPaused = false;
      this.#confirm(("after" in frame ? frame.after : frame.cursor) ?? undefined);
    } else if (this.#isPaused) {
      // It comes again.
    } else if (type === "passed") {
      this.#position = frame.id;
    } else {
      this.#pass(toItem(frame));
    }
  }

  /** To be called for every item at the moment it is handed over; `isLast` when no other waits. */
  handOver(item: Item, isLast: boolean): void {
    this.#cursor = placeOf(item) ?? this.#cursor;
    if (this.#isPaused && isLast) this.ask();
    // Gaps of a subscription are of its kind.
    if (isGap(item) && this.#parts.onGap) call(this.#parts.onGap, item as never);
  }

  end(error?: ClientError): void {
    // What waited when it ended by itself is not wanted any more, nor the reason.
    if (this.#isEnded) return error ? undefined : this.#receiver?.end?.(error);
    this.#isEnded = true;
    this.#backoff.cancel();
    this.#parts.signal?.removeEventListener("abort", this.#onAbort);
    this.#ready.reject(error ?? closed(`The subscription of ${this.#parts.name}`));
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
    if (isBlind) this.#pass({ channel: this.#parts.name, reason: this.#blindReason, missed: undefined, cursor });
    this.#blindReason = "disconnected";
  }

  #pass(item: Item): void {
    const { name, pause } = this.#parts;
    if (this.#receiver?.take(item)) {
      this.#position = placeOf(item) ?? this.#position;
    } else if (pause) {
      this.#isPaused = true;
      pause();
    } else {
      this.end(new ClientError("SLOW_RECEIVER", `The buffer of ${name} is full: subscribe since its cursor`));
    }
  }

  #refuse(error: ClientError): void {
    if (!isPassing(error)) return this.end(error);
    if (error.code === "SLOW_RECEIVER") this.#blindReason = "dropped";
    this.#backoff.later(() => this.ask());
  }
}
