import { pageBytes, type EventTable } from "../postgres/event/event-table.ts";
import { delay } from "../runtime/waiting.ts";
import { isConnectionError, type ValkeyConnection } from "../valkey/client/connection.ts";
import type { Entry } from "./entry.ts";
import { compareIds, lastId } from "./entry-id.ts";
import type { EntryReader } from "./entry-reader.ts";
import type { NextPage, Reading, ReadPlace } from "./reading.ts";

export interface ProjectionReaderParts<Data> {
  readonly reading: Reading;
  readonly reader: EntryReader<Data>;
  /** Only of a transactional stream. */
  readonly record: EventTable | undefined;
  readonly connection: ValkeyConnection;
}

/** Entries, and what those are that are in order. */
export interface ReadEntries<Data> extends Pick<NextPage, "entries"> {
  readonly parsed: readonly Entry<Data>[];
}

type ProjectionPage<Data> = NextPage & ReadEntries<Data>;

interface Asked {
  readonly limit: number;
  readonly signal: AbortSignal;
}

const againMs = 500;

/**
 * What comes next for a projection, which keeps its position in PostgreSQL: in which memory of the stream it got there is known here. A page can be read while the one
 * before it is written; it is used if the projection comes to where it begins, and forgotten otherwise.
 */
export class ProjectionReader<Data> {
  readonly #parts: ProjectionReaderParts<Data>;
  #place: ReadPlace | undefined;
  #ahead: { readonly position: string; readonly page: Promise<ProjectionPage<Data> | undefined> } | undefined;

  constructor(parts: ProjectionReaderParts<Data>) {
    this.#parts = parts;
  }

  /** Undefined, after a pause, where it cannot be read now. */
  async next(position: string, asked: Asked): Promise<ProjectionPage<Data> | undefined> {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    // One read at a time: each says where the next one is.
    const page = await ahead?.page;
    // What showed nothing then may show something now.
    if (page && ahead?.position === position && page.entries.length > 0 && !page.gap) return page;
    return this.#readPage(position, asked);
  }

  /** Begins to read what is behind a page that is not written yet. */
  readAhead(position: string, asked: Asked): void {
    this.#ahead = { position, page: this.#readPage(position, asked).catch(() => undefined) };
  }

  async #readPage(position: string, asked: Asked): Promise<ProjectionPage<Data> | undefined> {
    const page = await this.#read(position, asked);
    return page && { ...page, parsed: await this.#parts.reader.readAll(page.entries) };
  }

  async #read(position: string, { limit, signal }: Asked): Promise<NextPage | undefined> {
    const { reading, record, connection } = this.#parts;
    if (connection.isReady) {
      try {
        const place = this.#placeAt(position);
        const page = await reading.next(place, { limit, mostBytes: pageBytes });
        const last = page.entries.at(-1);
        const { epoch, added } = page;
        if (page.gap) this.#place = { after: page.gap.until, epoch, added };
        else if (last) this.#place = { after: last.id, epoch, added, isHeld: true };
        else this.#place = { ...place, epoch, added };
        return page;
      } catch (error) {
        if (!isConnectionError(error)) throw error;
        await delay(againMs, signal);
        return undefined;
      }
    }
    if (record) return this.#readRecord(position, limit, record);
    await connection.whenReady(againMs, signal);
    return undefined;
  }

  /** Up to here entries are gone, when nothing can be read. */
  async passedOver(newest: string): Promise<string> {
    const { record } = this.#parts;
    return record ? (await record.status()).dropped : newest;
  }

  /** Whether somebody at `position` has everything that was there up to `end`, and is there yet. */
  async hasReached(position: string, end: string): Promise<boolean> {
    const order = compareIds(position, end);
    if (order === 0) return true;
    // What was to be reached may be lost, and so may what was reached.
    const { after: newest } = await this.#parts.reading.end();
    return compareIds(position, newest) <= 0 && (order > 0 || compareIds(position, newest) === 0);
  }

  // At the beginning nothing can be missed.
  #placeAt(position: string): ReadPlace {
    if (position === "0-0") return { after: position, epoch: undefined };
    return this.#place?.after === position ? this.#place : { after: position, epoch: "" };
  }

  /** What is in the record can be read without Valkey. */
  async #readRecord(position: string, limit: number, record: EventTable): Promise<NextPage> {
    const { dropped } = await record.status();
    if (position !== "0-0" && compareIds(position, dropped) < 0) {
      return { entries: [], newest: dropped, epoch: "", gap: { reason: "trimmed", until: dropped } };
    }
    const entries = await record.readCommitted({ after: position, to: lastId, limit, reverse: false });
    return { entries, newest: position, epoch: "", gap: undefined };
  }
}
