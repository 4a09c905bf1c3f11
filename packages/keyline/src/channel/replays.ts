import { setImmediate } from "../runtime/clock.ts";
import { toError } from "../runtime/errors.ts";
import type { Logger } from "../runtime/logger.ts";
import { delay, retryDelay } from "../runtime/waiting.ts";
import type { ChannelLog, HistoryPage, Position } from "../valkey/channel/channel-log.ts";
import type { Item } from "./buffer.ts";
import { formatCursor } from "./cursor.ts";
import { walk } from "./history-walk.ts";
import { readEntry, type Message, type MessageReader } from "./message.ts";
import type { Receiver } from "./receiver.ts";

type Place = Position | "earliest";

/** What became of a receiver: it is live, or at a place, or the topic is not as far ("later"), or is too far ahead ("behind"). */
export type HandOver = Position | "live" | "later" | "behind";

interface Replayed {
  place: Place;
  /** It has read all there is, and waits for the topic to be as far. */
  isThrough: boolean;
}

interface ReplaysSetup<Data> {
  readonly channel: string;
  readonly log: ChannelLog;
  readonly reader: MessageReader<Data>;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Brings a receiver as far as the window does. */
  readonly handOver: (receiver: Receiver<Data>, position: Position) => HandOver;
  /** Shows the topic a page that was read, and its messages by the ids of their entries. */
  readonly noticePage: (page: HistoryPage, messages: ReadonlyMap<string, Message<Data>>) => void;
}

/** What one receiver is handed of a page, and where it stands afterwards. */
interface Portion<Data> {
  readonly items: readonly (Item<Data> & { readonly position: Position })[];
  readonly position: Position;
}

/** Entries that are read at once. */
export const historyPage = 250;

/**
 * Brings receivers that were away from their cursors to the window of their topic. One reader goes through the history for all of
 * them: each page is read once and given to everybody to whom it says something new, so that a thousand who come back at once cost
 * what one does. A receiver without room waits, and holds up nobody else.
 */
export class Replays<Data> {
  readonly #setup: ReplaysSetup<Data>;
  readonly #replayed = new Map<Receiver<Data>, Replayed>();
  #isRunning = false;
  #mustRun = false;

  constructor(setup: ReplaysSetup<Data>) {
    this.#setup = setup;
  }

  get isIdle(): boolean {
    return this.#replayed.size === 0;
  }

  add(receiver: Receiver<Data>, place: Place): void {
    const replayed = { place, isThrough: false };
    this.#replayed.set(receiver, replayed);
    receiver.onRoom = () => this.wake();
    this.#handOver(receiver, replayed);
    if (this.#replayed.has(receiver)) this.wake();
  }

  delete(receiver: Receiver<Data>): void {
    this.#replayed.delete(receiver);
    receiver.onRoom = undefined;
  }

  /** Something has changed: a receiver has room, or the topic is up to date again. */
  wake(): void {
    this.#mustRun = true;
    if (this.#isRunning) return;
    this.#isRunning = true;
    // Those who come back in the same turn are served together.
    setImmediate(() => void this.#run());
  }

  async #run(): Promise<void> {
    const { signal, logger, channel } = this.#setup;
    for (let tries = 0; this.#mustRun && !signal.aborted;) {
      this.#mustRun = false;
      for (const replayed of this.#replayed.values()) replayed.isThrough = false;
      try {
        while (!signal.aborted && (await this.#serve()));
        tries = 0;
      } catch (error) {
        logger.debug({ channel, error: toError(error).message }, "a channel's history could not be replayed yet");
        this.#mustRun = true;
        await delay(retryDelay(tries++), signal);
      }
    }
    this.#isRunning = false;
  }

  /** Serves everybody who can be served with one page. Returns whether there was somebody. */
  async #serve(): Promise<boolean> {
    for (const [receiver, replayed] of this.#replayed) this.#handOver(receiver, replayed);
    const first = this.#furthestBack();
    if (!first) return false;
    const { log, noticePage } = this.#setup;
    await log.connection.ensureReady(5_000);
    const page = await log.readSince(first, historyPage);
    const messages = await this.#decode(page);
    const portions = new Map<string, Portion<Data>>();
    const isEnd = page.entries.length < historyPage;
    for (const [receiver, replayed] of this.#replayed) {
      if (receiver.room <= 0 || !isServedBy(replayed.place, { first, page })) continue;
      const key = keyOf(replayed.place);
      const portion = portions.get(key) ?? this.#portion(page, { since: replayed.place, isEnd, messages });
      portions.set(key, portion);
      replayed.place = hand(receiver, portion, replayed.place);
      if (replayed.place !== "earliest") receiver.begin(formatCursor(replayed.place));
      replayed.isThrough = isEnd && replayed.place === portion.position;
    }
    noticePage(page, messages);
    return true;
  }

  /** The messages of a page by the ids of their entries. */
  async #decode(page: HistoryPage): Promise<ReadonlyMap<string, Message<Data>>> {
    const { channel, reader, logger } = this.#setup;
    const messages = new Map<string, Message<Data>>();
    for (const step of walk(channel, page, { since: "earliest", isEnd: true }).steps) {
      if (step.kind === "gap") continue;
      const raw = readEntry(channel, step, logger);
      const message = raw && (await reader.read(raw));
      if (message) messages.set(step.position.last, message);
    }
    return messages;
  }

  #portion(
    page: HistoryPage,
    { since, isEnd, messages }: { readonly since: Place; readonly isEnd: boolean; readonly messages: ReadonlyMap<string, Message<Data>> },
  ): Portion<Data> {
    const { steps, position } = walk(this.#setup.channel, page, { since, isEnd });
    const items = steps.flatMap((step) => {
      if (step.kind === "gap") return { gap: step.gap, position: step.position };
      const message = messages.get(step.position.last);
      if (!message) return [];
      return { message, position: step.position };
    });
    return { items, position };
  }

  #handOver(receiver: Receiver<Data>, replayed: Replayed): void {
    if (replayed.place === "earliest" || receiver.room <= 0) return;
    const reached = this.#setup.handOver(receiver, replayed.place);
    if (reached === "live") this.delete(receiver);
    else if (reached === "behind") replayed.isThrough = false;
    else if (reached !== "later") replayed.place = reached;
  }

  /** The place to read from: of a receiver with room, the furthest back in its era. */
  #furthestBack(): Place | undefined {
    let furthest: Position | undefined;
    for (const [receiver, { place, isThrough }] of this.#replayed) {
      if (isThrough || receiver.room <= 0) continue;
      if (place === "earliest") return place;
      if (!furthest || (isSameEra(place, furthest) && place.count < furthest.count)) furthest = place;
    }
    return furthest;
  }
}

/** Hands over as much as there is room for. Returns where the receiver stands then. */
function hand<Data>(receiver: Receiver<Data>, { items, position }: Portion<Data>, place: Place): Place {
  let reached = place;
  for (const item of items) {
    if (receiver.room <= 0) return reached;
    if ("gap" in item) receiver.offerGap(item.gap);
    else receiver.offer(item.message);
    reached = item.position;
  }
  return position;
}

/** True when a page that was read from `first` tells a receiver at `place` all that comes next for it. */
function isServedBy(
  place: Place,
  { first, page: { end, isKnown, entries } }: { readonly first: Place; readonly page: HistoryPage },
): boolean {
  if (keyOf(place) === keyOf(first)) return true;
  if (place === "earliest" || first === "earliest") return false;
  // All who come from a history that is lost are told the same.
  if (!isKnown) return place.epoch !== end.epoch;
  const last = entries.at(-1);
  // Numbers can be compared within an era, and the page has to begin before the place.
  return last?.era === place.era && isSameEra(place, first) && place.count >= first.count && place.count <= last.count;
}

export function isSameEra(a: Position, b: Position): boolean {
  return a.epoch === b.epoch && a.era === b.era;
}

function keyOf(place: Place): string {
  return place === "earliest" ? place : formatCursor(place);
}
