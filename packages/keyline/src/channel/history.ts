import type { ChannelLog, HistoryPage, Position } from "../valkey/channel/channel-log.ts";
import { formatCursor, parseCursor } from "./cursor.ts";
import { walk, walkBack, type Walk } from "./history-walk.ts";
import { readEntry, type Gap, type Message, type MessageReader } from "./message.ts";
import type { Logger } from "../runtime/logger.ts";

export interface HistoryReadOptions {
  /** Messages at the most. Default 100. */
  readonly limit?: number;
  /** Those after this cursor, oldest first, instead of the newest. */
  readonly since?: string | undefined;
  /** The newest of those before the message with this cursor, oldest first. */
  readonly before?: string | undefined;
}

export interface HistoryRead<Data> {
  /** Oldest first. */
  readonly messages: readonly Message<Data>[];
  /** What is missing between the cursor `since` and the first message, between messages, and between the last one and the cursor `before`. */
  readonly gaps: readonly Gap[];
  /** Behind the last of the messages. */
  readonly cursor: string;
  /** What to give as `before` for those that come before these; undefined where none is kept that does, and when reading on from `since`. */
  readonly earlier: string | undefined;
}

interface Asked {
  readonly limit: number;
  readonly since: string | undefined;
  readonly before: string | undefined;
}

interface HistorySetup<Data> {
  readonly log: ChannelLog;
  readonly reader: MessageReader<Data>;
  readonly logger: Logger;
}

/** Reads what a channel keeps, without subscribing. */
export class History<Data> {
  readonly #channel: string;
  readonly #setup: HistorySetup<Data>;

  constructor(channel: string, setup: HistorySetup<Data>) {
    this.#channel = channel;
    this.#setup = setup;
  }

  /** Throws INVALID_CURSOR. */
  async read({ limit, since, before }: Asked): Promise<HistoryRead<Data>> {
    if (since === undefined) return this.#readBack(limit, before === undefined ? undefined : parseCursor(before));
    const place = since === "earliest" ? since : parseCursor(since);
    const { log } = this.#setup;
    await log.connection.ensureReady(5_000);
    const page = await log.readSince(place, limit);
    return this.#toRead(walk(this.#channel, page, { since: place, isEnd: page.entries.length < limit }), undefined);
  }

  async #readBack(limit: number, before: Position | undefined): Promise<HistoryRead<Data>> {
    const { log } = this.#setup;
    await log.connection.ensureReady(5_000);
    // One more tells whether there are any before them.
    const { entries, ...found } = await log.readNewest(limit + 1, before);
    const page: HistoryPage = { ...found, entries: entries.slice(-limit) };
    const way = before ? walkBack(this.#channel, page, before) : walk(this.#channel, page, { since: "earliest", isEnd: true });
    const [first] = page.entries;
    const isMore = first !== undefined && entries.length > limit;
    return this.#toRead(
      way,
      isMore ? formatCursor({ epoch: page.end.epoch, era: first.era, count: first.count, last: first.entryId }) : undefined,
    );
  }

  async #toRead({ steps, position }: Walk, earlier: string | undefined): Promise<HistoryRead<Data>> {
    const messages: Message<Data>[] = [];
    const gaps: Gap[] = [];
    for (const step of steps) {
      if (step.kind === "gap") {
        gaps.push(step.gap);
        continue;
      }
      const raw = readEntry(this.#channel, step, this.#setup.logger);
      const message = raw && (await this.#setup.reader.read(raw));
      if (message) messages.push(message);
    }
    return { messages, gaps, cursor: formatCursor(position), earlier };
  }
}
