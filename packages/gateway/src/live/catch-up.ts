import type { Gap, Message, Subscription } from "keyline";
import { formatPlace, type Place } from "./place.ts";
import type { Receiver, Source } from "./receiver.ts";
import { frameOf } from "./wire.ts";

// A resumed receiver may be far behind: this much is prepared for it before its socket has to have taken it.
const mostPreparedLength = 65_536;
// Of each channel, so many wait for the socket: a page of history. Where more come meanwhile, they are read from the history later.
const mostWaiting = 250;

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
  /** What to write next, once the socket has room for it. */
  #frames: Buffer | undefined;
  #isFlushDue = false;
  #isWaiting = false;
  #pause: PromiseWithResolvers<void> | undefined;
  #isOver = false;

  /** Throws INVALID_CURSOR, and INVALID_OPTION for a cursor of a channel without history. */
  constructor(feed: Source, receiver: Receiver, since: Place) {
    this.#feed = feed;
    this.#receiver = receiver;
    // A reader without a place in a channel begins where the feed is now.
    this.#cursors = since.map((cursor, index) => cursor ?? feed.cursors[index]);
    this.start = formatPlace(this.#cursors);
    try {
      for (const index of feed.channels.keys()) this.#follow(index);
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

  #follow(index: number): void {
    const subscription = this.#feed.channels[index]?.subscribe((message) => this.#hear(message, index), {
      since: this.#cursors[index],
      onGap: (gap) => this.#hearGap(gap, index),
      buffer: mostWaiting,
    });
    if (!subscription) return;
    this.#subscriptions[index] = subscription;
    void subscription.closed.then((error) => error && this.#noteEnd(index));
  }

  #hear(message: Message, index: number): void | Promise<void> {
    if (this.#isOver) return;
    // A foreign writer's message has no place of its own.
    if (message.cursor !== undefined) this.#cursors[index] = message.cursor;
    this.#push(frameOf(this.#feed.wire, message, formatPlace(this.#cursors)));
    if (this.#frames || this.#length > mostPreparedLength || !this.#receiver.hasRoomFor(this.#length)) {
      this.#pause ??= Promise.withResolvers();
    }
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
    for (this.#frames ??= this.#takeFrames(); this.#frames; this.#frames = this.#takeFrames()) {
      // Beside this one, others may be catching up on the same socket.
      if (!this.#receiver.hasRoomFor(this.#frames.length)) break;
      this.#receiver.write(this.#frames);
    }
    if (this.#frames || this.#pause) void this.#goOnWhenDrained();
    else if (this.#isAtEnd()) this.#moveIn();
  };

  /** Each channel of a feed may have prepared something: not all of it is written at once. */
  #takeFrames(): Buffer | undefined {
    let count = 0;
    for (let length = 0; count < this.#texts.length && length < mostPreparedLength; count++) length += this.#texts[count]?.length ?? 0;
    if (count === 0) return undefined;
    const texts = this.#texts.splice(0, count);
    for (const text of texts) this.#length -= text.length;
    this.#feed.noteDeliveries(count);
    return this.#feed.wire.encode(texts);
  }

  async #goOnWhenDrained(): Promise<void> {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    await this.#receiver.drained();
    this.#isWaiting = false;
    if (!this.#frames) {
      this.#pause?.resolve();
      this.#pause = undefined;
    }
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

  /** More was published than waits here: where it is kept it is read later, from where this channel stands. */
  #noteEnd(index: number): void {
    if (this.#isOver) return;
    try {
      if (this.#cursors[index] !== undefined) return this.#follow(index);
    } catch {
      // Keyline was closed meanwhile: the feed ends as well.
    }
    this.stop();
    this.#receiver.endFeed(this.#feed, "SLOW_RECEIVER");
  }
}
