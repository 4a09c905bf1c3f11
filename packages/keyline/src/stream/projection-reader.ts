import { pageBytes, type EventTable } from "../postgres/event/event-table.ts";
import { delay } from "../runtime/waiting.ts";
import { isConnectionError, type ValkeyConnection } from "../valkey/client/connection.ts";
import { compareIds, lastId } from "./entry-id.ts";
import type { NextPage, Reading, ReadPlace } from "./reading.ts";

export interface ProjectionReaderParts {
  readonly reading: Reading;
  /** Only of a transactional stream. */
  readonly record: EventTable | undefined;
  readonly connection: ValkeyConnection;
}

const againMs = 500;

/** What comes next for a projection, which keeps its position in PostgreSQL: in which memory of the stream it got there is known here. */
export class ProjectionReader {
  readonly #parts: ProjectionReaderParts;
  #place: ReadPlace | undefined;

  constructor(parts: ProjectionReaderParts) {
    this.#parts = parts;
  }

  /** Undefined, after a pause, where it cannot be read now. */
  async next(position: string, { limit, signal }: { readonly limit: number; readonly signal: AbortSignal }): Promise<NextPage | undefined> {
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
