import type { Gap, Message, Subscription } from "keyline";
import { formatPlace, type Place } from "./place.ts";
import type { Receiver, Source } from "./receiver.ts";
import { frameOf } from "./wire.ts";

// A resumed receiver may be far behind: this much is prepared for it before its socket has to have taken it.
const mostPreparedLength = 65_536;
// Messages that are published meanwhile wait beside those that were missed. They are shared with everybody else.
const mostWaiting = 5_000;

/** Brings one receiver from where it stands to where its feed stands, no faster than its socket takes it. */
export class CatchUp {
  /** Where the receiver stands before anything was written to it: what is near is prepared at once. */
  readonly start: string;
  readonly #feed: Source;
  readonly #receiver: Receiver;
  readonly #cursors: (string | undefined)[];
  readonly #subscriptions: Subscription[] = [];
  #texts: string[] = [];
  #length = 0;
  #isFlushDue = false;
  #pause: PromiseWithResolvers<void> | undefined;
  #isOver = false;

  /** Throws INVALID_CURSOR, and INVALID_OPTION for a cursor of a channel without history. */
  constructor(feed: Source, receiver: Receiver, since: Place) {
    this.#feed = feed;
    this.#receiver = receiver;
    // Who has no place in a channel begins where the feed is now.
    this.#cursors = since.map((cursor, index) => cursor ?? feed.cursors[index]);
    this.start = formatPlace(this.#cursors);
    try {
      for (const [index, channel] of feed.channels.entries()) {
        const subscription = channel.subscribe((message) => this.#hear(message, index), {
          since: since[index] ?? feed.cursors[index],
          onGap: (gap) => this.#hearGap(gap, index),
          buffer: mostWaiting,
        });
        this.#subscriptions.push(subscription);
        void subscription.closed.then((error) => this.#noteEnd(error !== undefined));
      }
    } catch (error) {
      this.stop();
      throw error;
    }
    // Perhaps nothing was missed.
    void Promise.all(this.#subscriptions.map(({ ready }) => ready)).then(this.#scheduleFlush, () => undefined);
  }

  get cursors(): Place {
    return this.#cursors;
  }

  stop(): void {
    this.#isOver = true;
    this.#pause?.resolve();
    for (const subscription of this.#subscriptions) void subscription.close();
  }

  #hear(message: Message, index: number): void | Promise<void> {
    if (this.#isOver) return;
    this.#cursors[index] = message.cursor;
    this.#push(frameOf(this.#feed.wire, message, formatPlace(this.#cursors)));
    if (this.#length > mostPreparedLength || this.#receiver.isBehind) this.#pause ??= Promise.withResolvers();
    return this.#pause?.promise;
  }

  #hearGap(gap: Gap, index: number): void {
    if (this.#isOver) return;
    if (gap.cursor !== undefined) this.#cursors[index] = gap.cursor;
    this.#push(this.#feed.wire.gap(gap, formatPlace(this.#cursors)));
  }

  #push(text: string): void {
    this.#texts.push(text);
    this.#length += text.length;
    this.#scheduleFlush();
  }

  readonly #scheduleFlush = (): void => {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    setImmediate(this.#flush);
  };

  readonly #flush = (): void => {
    this.#isFlushDue = false;
    if (this.#isOver) return;
    if (this.#texts.length > 0) {
      const frames = this.#feed.wire.encode(this.#texts);
      this.#feed.noteDeliveries(this.#texts.length);
      this.#texts = [];
      this.#length = 0;
      this.#receiver.write(frames);
    }
    if (this.#pause) void this.#goOnWhenDrained(this.#pause);
    else if (this.#isAtEnd()) this.#moveIn();
  };

  async #goOnWhenDrained(pause: PromiseWithResolvers<void>): Promise<void> {
    await this.#receiver.drained();
    if (this.#pause === pause) this.#pause = undefined;
    pause.resolve();
    // What the pause held back is handed over before this turn ends; if there was nothing, this may be the end.
    this.#scheduleFlush();
  }

  // A channel without history has no place to compare: both hear of its messages in the same step.
  #isAtEnd(): boolean {
    return this.#cursors.every((cursor, index) => cursor === this.#feed.cursors[index]);
  }

  #moveIn(): void {
    this.stop();
    this.#feed.moveIn(this.#receiver);
  }

  #noteEnd(isFailure: boolean): void {
    if (!isFailure || this.#isOver) return;
    this.stop();
    this.#receiver.endFeed(this.#feed, "SLOW_RECEIVER");
  }
}
