import { KeylineError } from "../runtime/errors.ts";
import { Iteration } from "../runtime/iteration.ts";
import type { Seam } from "../runtime/probe.ts";
import { received } from "./hear.ts";
import type { Message } from "./message.ts";
import type { Receiver } from "./receiver.ts";

/**
 * A subscription. Iterate it, unless it was made with a listener: an iteration ends when the subscription is closed, and throws when
 * it ended by itself. Leaving the loop closes it.
 */
export class Subscription<Data = unknown> implements AsyncIterable<Message<Data>> {
  readonly #receiver: Receiver<unknown>;
  readonly #seam: Seam;

  /** @internal */
  constructor(receiver: Receiver<unknown>, seam: Seam) {
    this.#receiver = receiver;
    this.#seam = seam;
  }

  /** Everything up to here was handed over: resume from it. Set from the beginning; undefined without history. */
  get cursor(): string | undefined {
    return this.#receiver.cursor;
  }

  /** Resolves when Valkey confirmed the subscription: what is published from then on arrives. Rejects when it is closed before. */
  get ready(): Promise<void> {
    return this.#receiver.ready;
  }

  /** Resolves when the subscription has ended: with undefined when it was closed, else with the reason (SLOW_RECEIVER). */
  get closed(): Promise<KeylineError | undefined> {
    return this.#receiver.closed;
  }

  /** Nothing is handed over after this. */
  close(): Promise<void> {
    this.#receiver.close();
    return Promise.resolve();
  }

  [Symbol.asyncIterator](): AsyncIterator<Message<Data>> {
    if (this.#receiver.hasListener) {
      throw new KeylineError("INVALID_OPTION", "A subscription with a listener cannot be iterated too: subscribe once more for that");
    }
    return new Iteration(received(this.#receiver as Receiver<Data>, this.#seam));
  }
}
