import type { ChannelLog } from "../valkey/channel/channel-log.ts";
import { formatCursor, parseCursor } from "./cursor.ts";
import { walk } from "./history-walk.ts";
import { readEntry, type Gap, type Message, type MessageReader } from "./message.ts";
import type { Logger } from "../runtime/logger.ts";

export interface HistoryReadOptions {
  /** Messages at the most. Default 100. */
  readonly limit?: number;
  /** Those after this cursor, oldest first, instead of the newest. */
  readonly since?: string | undefined;
}

export interface HistoryRead<Data> {
  /** Oldest first. */
  readonly messages: readonly Message<Data>[];
  /** What is missing between the given cursor and the first message, and between messages. */
  readonly gaps: readonly Gap[];
  /** Behind the last of the messages. */
  readonly cursor: string;
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

  async read({ limit, since }: { readonly limit: number; readonly since: string | undefined }): Promise<HistoryRead<Data>> {
    const { log } = this.#setup;
    const place = since === undefined || since === "earliest" ? "earliest" : parseCursor(since);
    await log.connection.ensureReady(5_000);
    const page = since === undefined ? await log.readNewest(limit) : await log.readSince(place, limit);
    const isEnd = since === undefined || page.entries.length < limit;
    const { steps, position } = walk(this.#channel, page, { since: place, isEnd });
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
    return { messages, gaps, cursor: formatCursor(position) };
  }
}
