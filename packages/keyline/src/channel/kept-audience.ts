import type { HistoryPage, Position } from "../valkey/channel/channel-log.ts";
import { Audience } from "./audience.ts";
import type { ChannelTally } from "./channel-tally.ts";
import { formatCursor } from "./cursor.ts";
import { InOrder } from "./in-order.ts";
import type { Gap, Message, MessageReader, RawMessage } from "./message.ts";
import type { Receiver } from "./receiver.ts";
import { Window } from "./window.ts";

/**
 * Who follows a channel with history live, and the window of its newest messages. Both get one message after the other, in the order in which
 * they are handed on here, though a schema may take its time.
 */
export class KeptAudience<Data> {
  readonly #reader: MessageReader<Data>;
  readonly #live: Audience<Data>;
  readonly #window = new Window<Data>();
  readonly #inOrder = new InOrder();

  constructor(reader: MessageReader<Data>, tally?: ChannelTally) {
    this.#reader = reader;
    this.#live = new Audience<Data>(tally);
  }

  get isEmpty(): boolean {
    return this.#live.isEmpty;
  }

  delete(receiver: Receiver<Data>): void {
    this.#live.delete(receiver);
  }

  /** The receiver is live from `position` on. */
  begin(receiver: Receiver<Data>, position: Position): void {
    receiver.begin(formatCursor(position));
    receiver.skipTo = position.count;
    this.#live.add(receiver);
  }

  /** True when everything after `position` is in the window. */
  reachesBackTo(position: Position): boolean {
    return this.#window.reachesBackTo(position);
  }

  /** Brings a receiver as far as the window does and makes it live there. Returns its new place where it has no room for that. */
  bring(receiver: Receiver<Data>, position: Position): Position | "live" {
    let { count } = position;
    for (const next of this.#window.after(count)) {
      if (receiver.room <= 0) return { ...position, count };
      count = next.count;
      if (next.message) receiver.offer(next.message);
    }
    // Another process may have been told of messages that are still on their way to this one.
    receiver.skipTo = position.count;
    receiver.begin(formatCursor({ ...position, count }));
    if (!receiver.isClosed) this.#live.add(receiver);
    return "live";
  }

  /** Adds what joins on to the window's beginning of a page that was read. */
  extend({ end, entries }: HistoryPage, messages: ReadonlyMap<string, Message<Data>>): void {
    const older = entries.filter(({ era }) => era === end.era).toReversed();
    this.#window.extend(older.map(({ entryId, count, data }) => ({ message: messages.get(entryId), count, length: data.length })));
  }

  /** Hands a message on. `count` is its number; one without is a foreign writer's, and in no history. */
  hand(raw: RawMessage, { length, count }: { readonly length: number; readonly count?: number }): void {
    this.#inOrder.use(this.#reader.read(raw), (message: Message<Data> | undefined) => {
      if (count !== undefined) this.#window.push(message, length);
      if (message) this.#live.offer(message, count);
    });
  }

  /** The next number is one of a message that nobody can read: it leaves no hole. */
  passOver(): void {
    this.#inOrder.use(undefined, () => this.#window.push(undefined, 0));
  }

  announce(gap: Gap): void {
    this.#inOrder.use(gap, (gap) => this.#live.offerGap(gap));
  }

  /** The window has a hole before `position`. */
  moveTo(position: Position): void {
    this.#inOrder.use(position, (place) => this.#window.reset(place));
  }

  /** Calls `act` behind messages whose schema is still at work. */
  afterwards(act: () => void): void {
    this.#inOrder.use(undefined, act);
  }
}
