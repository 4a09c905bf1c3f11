import type { Door } from "../runtime/door.ts";
import { KeylineError } from "../runtime/errors.ts";
import type { Seam } from "../runtime/probe.ts";
import { checkSubscribeOptionNames, type PatternSubscribeOptions } from "./options.ts";
import type { Receiver } from "./receiver.ts";
import type { MessageListener } from "./hear.ts";
import { Subscription } from "./subscription.ts";

export interface ChannelPatternParts {
  createReceiver(options: PatternSubscribeOptions, listener: MessageListener<unknown> | undefined): Receiver<unknown>;
  readonly door: Door;
  readonly seam: Seam;
}

/** All channels whose names fit a pattern: `*` stands for any run of characters, dots too, and `?` for one. */
export class ChannelPattern {
  readonly pattern: string;
  readonly #parts: ChannelPatternParts;

  /** @internal */
  constructor(pattern: string, parts: ChannelPatternParts) {
    this.pattern = pattern;
    this.#parts = parts;
  }

  /**
   * Listens to all of them, also to those that nobody has published on yet, live from now on. After a break `onGap` tells of it.
   * Throws INVALID_OPTION, also for `since`: each channel has a history of its own.
   *
   * @example
   * keyline.channels("weather.*").subscribe((message) => console.log(message.channel, message.data));
   */
  subscribe(options?: PatternSubscribeOptions): Subscription;
  subscribe(listener: MessageListener<unknown>, options?: PatternSubscribeOptions): Subscription;
  subscribe(first: MessageListener<unknown> | PatternSubscribeOptions = {}, second: PatternSubscribeOptions = {}): Subscription {
    this.#parts.door.checkOpen();
    const [listener, options] = typeof first === "function" ? [first, second] : [undefined, first];
    checkSubscribeOptionNames(options);
    if ("since" in options && options.since !== undefined) {
      throw new KeylineError(
        "INVALID_OPTION",
        `A pattern cannot be resumed: subscribe to each channel with its own cursor, instead of ${this.pattern} with since`,
      );
    }
    return new Subscription(this.#parts.createReceiver(options, listener), this.#parts.seam);
  }
}
