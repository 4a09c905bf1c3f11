import { queueMicrotask } from "../runtime/clock.ts";
import type { ChannelCounts } from "../runtime/counters.ts";
import { KeylineError, toError } from "../runtime/errors.ts";
import type { Logger } from "../runtime/logger.ts";
import type { Seam } from "../runtime/probe.ts";
import { createBuffer, type Item, type ReceiverBuffer } from "./buffer.ts";
import { hear, type MessageListener } from "./hear.ts";
import type { Gap, Message } from "./message.ts";
import { checkSubscribeOptions, type SubscribeOptions } from "./options.ts";

export interface ReceiverSetup<Data> extends SubscribeOptions {
  /** The channel or the pattern. */
  readonly subject: string;
  /** The same for loggers. */
  readonly fields: object;
  /** Undefined for one that is iterated. */
  readonly listener: MessageListener<Data> | undefined;
  /** Undefined for a pattern's, which is told of many channels. */
  readonly counts?: ChannelCounts | undefined;
  readonly logger: Logger;
  readonly seam: Seam;
  /** Called once, when it has ended. */
  readonly onClosed: (receiver: Receiver<Data>) => void;
}

/**
 * The end of a subscription: hands what comes to the listener or to the iteration, one at a time and in order, and keeps what has
 * to wait in a bounded buffer.
 */
export class Receiver<Data> {
  readonly #setup: ReceiverSetup<Data>;
  readonly #buffer: ReceiverBuffer<Data>;
  readonly #ready = Promise.withResolvers<void>();
  readonly #closed = Promise.withResolvers<KeylineError | undefined>();
  readonly #waiting: {
    readonly resolve: (result: IteratorResult<Message<Data>>) => void;
    readonly reject: (error: Error) => void;
  }[] = [];
  #hasBegun = false;
  #isListening = false;
  #isClosed = false;
  #failure: KeylineError | undefined;
  /** Called when a full buffer has room for half of its size again. */
  onRoom: (() => void) | undefined;
  /** Until it has begun, the place where it is to begin. */
  cursor: string | undefined;
  /** A subscription that was ahead of this process passes over what it has up to this message number. */
  skipTo = 0;

  /** Throws INVALID_OPTION. */
  constructor(setup: ReceiverSetup<Data>) {
    this.#setup = setup;
    const { buffer, whenFull } = checkSubscribeOptions(setup);
    if (setup.since !== "earliest") this.cursor = setup.since;
    this.#buffer = createBuffer<Data>(whenFull, {
      size: buffer,
      key: (message) => this.#keyOf(message),
      onDropped: () => void (setup.counts && setup.counts.dropped++),
    });
    // Whoever does not wait for it need not handle it.
    this.#ready.promise.catch(() => undefined);
    if (setup.signal?.aborted) queueMicrotask(() => this.close());
    else setup.signal?.addEventListener("abort", this.#abort);
  }

  get hasListener(): boolean {
    return this.#setup.listener !== undefined;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  get closed(): Promise<KeylineError | undefined> {
    return this.#closed.promise;
  }

  /** Messages that can be offered now: for one with a synchronous listener there is no limit. */
  get room(): number {
    return this.#setup.listener && !this.#isListening ? Number.MAX_SAFE_INTEGER : this.#buffer.room;
  }

  /** It begins here: what comes after `cursor` will be offered. */
  begin(cursor: string | undefined): void {
    this.cursor ??= cursor;
    this.#hasBegun = true;
    this.#ready.resolve();
  }

  offer(message: Message<Data>): void {
    if (this.#isClosed) return;
    if (this.#setup.listener && !this.#isListening && this.#buffer.isEmpty) {
      this.#call(message);
    } else if (!this.#setup.listener && this.#buffer.isEmpty && this.#waiting.length > 0) {
      this.#note(message);
      this.#waiting.shift()?.resolve({ done: false, value: message });
    } else if (!this.#buffer.push(message)) {
      this.#setup.counts?.noteSlow();
      this.close(this.#slow());
    }
  }

  offerGap(gap: Gap): void {
    if (this.#isClosed) return;
    if (this.#buffer.isEmpty && !this.#isListening) this.#announce(gap);
    else this.#buffer.pushGap(gap);
  }

  next(): Promise<IteratorResult<Message<Data>, undefined>> {
    for (let item = this.#shift(); item; item = this.#shift()) {
      if ("gap" in item) {
        this.#announce(item.gap);
        continue;
      }
      this.#note(item.message);
      return Promise.resolve({ done: false, value: item.message });
    }
    if (this.#failure) {
      const error = this.#failure;
      this.#failure = undefined;
      return Promise.reject(error);
    }
    if (this.#isClosed) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** What waits is still handed over when the receiver failed, and dropped when it was closed, be it afterwards. */
  close(error?: KeylineError): void {
    if (!error) this.#forget();
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#failure = error;
    this.#setup.signal?.removeEventListener("abort", this.#abort);
    // Thousands that resume are closed once they have begun: an error that nobody gets would cost more than all the rest of that.
    if (!this.#hasBegun)
      this.#ready.reject(error ?? new KeylineError("CLOSED", `The subscription to ${this.#setup.subject} was closed before it began`));
    // A listener that was too slow gets what waits first, so that the cursor is behind all of it.
    if (!error || !this.#isListening) this.#closed.resolve(error);
    this.#setup.onClosed(this);
    // Whoever waits has got everything that came.
    for (const { resolve, reject } of this.#waiting.splice(0)) {
      if (this.#failure) reject(this.#failure);
      else resolve({ done: true, value: undefined });
      this.#failure = undefined;
    }
  }

  #forget(): void {
    while (!this.#buffer.isEmpty) this.#buffer.shift();
    // An iteration that was left is not told why it would have ended; `closed` tells a listener's owner.
    if (!this.#setup.listener) this.#failure = undefined;
  }

  readonly #abort = (): void => this.close();

  #shift(): Item<Data> | undefined {
    const item = this.#buffer.shift();
    if (item && this.onRoom && this.#buffer.isHalfEmpty) this.onRoom();
    return item;
  }

  #hear(message: Message<Data>): void | Promise<void> {
    const { listener, seam } = this.#setup;
    if (!listener) return undefined;
    const { probe } = seam;
    return probe ? hear(probe, listener, message) : listener(message);
  }

  #call(message: Message<Data>): void {
    this.#note(message);
    try {
      const result = this.#hear(message);
      if (result) void this.#listen(result);
    } catch (error) {
      this.#noteFailure(error);
    }
  }

  /** While a listener works what comes is buffered; afterwards it gets that, one after another. */
  async #listen(first: PromiseLike<void>): Promise<void> {
    this.#isListening = true;
    try {
      await first;
    } catch (error) {
      this.#noteFailure(error);
    }
    for (let item = this.#shift(); item && !this.#isStopped; item = this.#shift()) {
      if ("gap" in item) {
        this.#announce(item.gap);
        continue;
      }
      this.#note(item.message);
      try {
        await this.#hear(item.message);
      } catch (error) {
        this.#noteFailure(error);
      }
    }
    this.#isListening = false;
    if (this.#isClosed) this.#closed.resolve(this.#failure);
    else this.onRoom?.();
  }

  /** Closed by its owner: one that was too slow still gets what waits. */
  get #isStopped(): boolean {
    return this.#isClosed && this.#failure === undefined;
  }

  #announce(gap: Gap): void {
    this.#setup.counts?.noteGap(gap.reason);
    if (gap.cursor !== undefined) this.cursor = gap.cursor;
    try {
      const result: unknown = this.#setup.onGap?.(gap);
      if (result instanceof Promise) result.catch((error: unknown) => this.#noteFailure(error));
    } catch (error) {
      this.#noteFailure(error);
    }
  }

  /** A message without a cursor, as of a foreign writer, leaves the place where it is. */
  #note({ cursor }: Message<Data>): void {
    if (cursor !== undefined) this.cursor = cursor;
  }

  #keyOf(message: Message): string {
    try {
      return this.#setup.key?.(message) ?? "";
    } catch (error) {
      this.#noteFailure(error);
      return "";
    }
  }

  #noteFailure(error: unknown): void {
    this.#setup.logger.error({ ...this.#setup.fields, error: toError(error).message }, "a function of a subscription threw");
  }

  #slow(): KeylineError {
    return new KeylineError(
      "SLOW_RECEIVER",
      `A receiver of ${this.#setup.subject} was so slow that its buffer is full: subscribe again with { since: subscription.cursor } where there is history, raise buffer, or choose whenFull: "drop-oldest" or "latest"`,
    );
  }
}
