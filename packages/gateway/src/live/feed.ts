/*
 * DESIGN. One feed carries what one list of channels brings to all receivers that asked for exactly this list in the same form: the
 * channel of a thousand event streams is one feed. Each frame is made once, what one turn of the event loop brings is joined, and
 * the same bytes are written to every socket.
 *
 * Receivers in a feed all stand at the same place. One that resumes from an earlier place catches up by itself (catch-up.ts), with
 * subscriptions of its own, and moves in at the moment at which it stands where the feed stands. Both hear of a message in
 * the same synchronous step, so nothing is between the two, and nothing comes twice.
 */
import type { Gap, Message, Subscription } from "keyline";
import type { ChannelExposure } from "../channels/exposures.ts";
import { CatchUp } from "./catch-up.ts";
import { formatPlace, type Place } from "./place.ts";
import type { Receiver, Source } from "./receiver.ts";
import { frameOf, type Wire } from "./wire.ts";

export class Feed implements Source {
  readonly channels: readonly ChannelExposure["channel"][];
  readonly wire: Wire;
  /** Resolves when everything that is published from now on arrives. */
  readonly ready: Promise<void>;
  readonly #subscriptions: readonly Subscription[];
  readonly #cursors: (string | undefined)[];
  readonly #receivers = new Set<Receiver>();
  readonly #catchUps = new Map<Receiver, CatchUp>();
  #texts: string[] = [];
  #isFlushDue = false;
  #idleTicks = 0;
  #hasBegun = false;
  #isOver = false;
  #deliveries = 0;

  constructor(channels: readonly ChannelExposure["channel"][], wire: Wire) {
    this.channels = channels;
    this.wire = wire;
    this.#cursors = channels.map(() => undefined);
    this.#subscriptions = channels.map((channel, index) =>
      channel.subscribe((message) => this.#hear(message, index), { onGap: (gap) => this.#hearGap(gap, index) }),
    );
    this.ready = this.#begin();
    for (const { closed } of this.#subscriptions) void closed.then((error) => error && this.#endAll());
  }

  get cursors(): Place {
    return this.#cursors;
  }

  get place(): string {
    return formatPlace(this.#cursors);
  }

  /** Messages written, one for each receiver. */
  get deliveries(): number {
    return this.#deliveries;
  }

  /** What is published arrives. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /**
   * Lets a receiver in, at the feed's end or at the place from which it resumes, and returns that place: what is written to the receiver before
   * this turn of the event loop ends comes before everything the feed has for it. Throws INVALID_CURSOR.
   */
  enter(receiver: Receiver, place: Place): string {
    const since = place.map((cursor, index) => (cursor === "earliest" && !this.channels[index]?.hasHistory ? undefined : cursor));
    const isAtEnd = since.every((cursor, index) => cursor === undefined || cursor === this.#cursors[index]);
    if (isAtEnd) {
      this.moveIn(receiver);
      return this.place;
    }
    const catchUp = new CatchUp(this, receiver, since);
    this.#catchUps.set(receiver, catchUp);
    return catchUp.start;
  }

  /** One function for all receivers. */
  readonly leave = (receiver: Receiver): void => {
    this.#receivers.delete(receiver);
    this.#catchUps.get(receiver)?.stop();
    this.#catchUps.delete(receiver);
  };

  moveIn(receiver: Receiver): void {
    this.#catchUps.delete(receiver);
    this.#flush();
    this.#receivers.add(receiver);
  }

  placeOf(receiver: Receiver): string {
    const catchUp = this.#catchUps.get(receiver);
    return catchUp ? formatPlace(catchUp.cursors) : this.place;
  }

  noteDeliveries(count: number): void {
    this.#deliveries += count;
  }

  /** Called once a second. True when it is over, or nobody has been here for a while: a client that reconnects finds the feed as it was. */
  isAbandoned(ticks: number): boolean {
    if (this.#isOver) return true;
    this.#idleTicks = this.#receivers.size + this.#catchUps.size > 0 ? 0 : this.#idleTicks + 1;
    return this.#idleTicks > ticks;
  }

  /** Somebody is about to enter. */
  expect(): void {
    this.#idleTicks = 0;
  }

  close(): void {
    for (const subscription of this.#subscriptions) void subscription.close();
    for (const catchUp of this.#catchUps.values()) catchUp.stop();
  }

  async #begin(): Promise<void> {
    await Promise.all(this.#subscriptions.map((subscription) => subscription.ready));
    for (const [index, { cursor }] of this.#subscriptions.entries()) this.#cursors[index] = cursor;
    this.#hasBegun = true;
  }

  #hear(message: Message, index: number): void {
    // A foreign writer's message has no place of its own: where to resume is still behind the last one that has.
    if (message.cursor !== undefined) this.#cursors[index] = message.cursor;
    if (this.#receivers.size > 0) this.#push(frameOf(this.wire, message, this.place));
  }

  #hearGap(gap: Gap, index: number): void {
    if (gap.cursor !== undefined) this.#cursors[index] = gap.cursor;
    if (this.#receivers.size > 0) this.#push(this.wire.gap(gap, this.place));
  }

  #push(text: string): void {
    this.#texts.push(text);
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    setImmediate(this.#flush);
  }

  readonly #flush = (): void => {
    this.#isFlushDue = false;
    if (this.#texts.length === 0) return;
    const frames = this.wire.encode(this.#texts);
    this.#deliveries += this.#texts.length * this.#receivers.size;
    this.#texts = [];
    for (const receiver of this.#receivers) receiver.write(frames);
  };

  #endAll(): void {
    this.#isOver = true;
    for (const receiver of [...this.#receivers, ...this.#catchUps.keys()]) receiver.endFeed(this, "CLOSED");
  }
}
