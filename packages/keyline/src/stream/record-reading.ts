/*
 * DESIGN. A transactional stream is read from two stores, which hold the same events under the same ids:
 *
 *   PostgreSQL   everything that is committed
 *   Valkey       an unbroken run of it: behind `trimmed`, up to `last`
 *
 * A range is cut at these two: what is older comes from PostgreSQL, what is hot from Valkey, and what is committed but not on Valkey yet from
 * PostgreSQL again. Both ends are read in the same step as the hot part, and the record never changes, so the parts fit without
 * a gap or a duplicate. Where somebody deleted from the run, Valkey says that everything up to `last` is trimmed, until the relay has
 * begun the run anew. Where one store is away the other serves what it can: PostgreSQL all of it, Valkey a hot part that nothing older or
 * newer is asked for.
 *
 * A follower reads the old and the hot part; what is behind `last` comes when the relay has brought it. So everybody who follows sees the
 * events of Valkey, and no process asks PostgreSQL because of an event that is just being appended.
 */
import { pageBytes, type EventTable } from "../postgres/event/event-table.ts";
import { toError } from "../runtime/errors.ts";
import type { Logger } from "../runtime/logger.ts";
import type { LogPage, StreamLog } from "../valkey/stream/stream-log.ts";
import { BehindCounter, countInRecord } from "./behind-counter.ts";
import type { RawEntry } from "./entry.ts";
import { compareIds, idBefore } from "./entry-id.ts";
import { behind } from "./plain-reading.ts";
import type { NextPage, PageSize, Range, Reading, ReadPlace, StreamInfo } from "./reading.ts";

export class RecordReading implements Reading {
  readonly #log: StreamLog;
  readonly #table: EventTable;
  readonly #logger: Logger;
  readonly #counter: BehindCounter;

  constructor(log: StreamLog, table: EventTable, logger: Logger) {
    this.#log = log;
    this.#table = table;
    this.#counter = new BehindCounter(countInRecord(table));
    this.#logger = logger;
  }

  async page(range: Range): Promise<readonly RawEntry[]> {
    // Valkey keeps no list of a key's entries for a transactional stream.
    if (range.key !== undefined) return this.#table.readKey(range.key, range);
    const hot = await this.#readHot(range);
    if (!hot) return readWhole(range, (part) => this.#table.readCommitted(part));
    const { trimmed, lastRecorded } = hot;
    const parts = [() => this.#readOld(range, trimmed), () => Promise.resolve(hot.entries), () => this.#readTail(range, lastRecorded)];
    if (range.reverse) parts.reverse();
    const entries: RawEntry[] = [];
    for (const read of parts) {
      if (entries.length >= range.limit) break;
      for (const entry of await read()) entries.push(entry);
    }
    return entries.slice(0, range.limit);
  }

  async next({ after, epoch }: ReadPlace, size: PageSize): Promise<NextPage> {
    const page = await this.#log.read({ ...size, ...behind(after, size.limit), to: "+", reverse: false });
    const { lastRecorded: newest, trimmed } = page;
    // Lost, and not refilled yet: it will be.
    if (newest === "") return { entries: [], newest: page.newest, epoch: "", gap: undefined };
    if (epoch !== undefined && compareIds(after, newest) > 0) {
      // Valkey may not have got that far again; what the record itself does not reach was lost with it.
      const { last } = await this.#table.status();
      if (compareIds(after, last) > 0) return { entries: [], newest, epoch: "", gap: { reason: "lost", until: last } };
    }
    if (compareIds(after, trimmed) >= 0) return { entries: upTo(newest, page.entries), newest, epoch: "", gap: undefined };
    const { dropped } = await this.#table.status();
    const gap = epoch !== undefined && compareIds(after, dropped) < 0 ? ({ reason: "trimmed", until: dropped } as const) : undefined;
    const entries = gap ? [] : await this.#table.read({ after, to: trimmed, ...size, reverse: false });
    // Nothing is left in front of the hot part: go on with that.
    if (!gap && entries.length === 0) return this.next({ after: trimmed, epoch }, size);
    return { entries, newest, epoch: "", gap };
  }

  async history(key: string, options: { readonly limit: number; readonly reverse: boolean }): Promise<readonly RawEntry[]> {
    const newestFirst = await this.#table.history(key, Math.min(options.limit, 0x7fffffff));
    return options.reverse ? newestFirst : newestFirst.toReversed();
  }

  async end(): Promise<ReadPlace> {
    return { after: (await this.#table.place(0x7fffffff)).last, epoch: "" };
  }

  async info(): Promise<StreamInfo> {
    const [firstId, { last }] = await Promise.all([this.#table.first(), this.#table.status()]);
    if (firstId === undefined) return { length: 0, isLengthExact: true, firstId: undefined, lastId: undefined };
    const { entries, isExact } = await this.#counter.behind(idBefore(firstId), last);
    return { length: entries, isLengthExact: isExact, firstId, lastId: last };
  }

  async count(): Promise<number> {
    return this.#table.count("0-0", (await this.end()).after);
  }

  /** Undefined where Valkey cannot say. */
  async #readHot({ after, to, limit, reverse }: Range): Promise<LogPage | undefined> {
    if (!this.#log.connection.isReady) return undefined;
    try {
      const page = await this.#log.read({ ...behind(after, limit), to, reverse });
      return page.lastRecorded === "" ? undefined : { ...page, entries: upTo(page.lastRecorded, page.entries) };
    } catch (error) {
      this.#logger.debug({ error: toError(error).message }, "Valkey could not be read; the record is");
      return undefined;
    }
  }

  #readOld(range: Range, trimmed: string): Promise<readonly RawEntry[]> {
    if (compareIds(range.after, trimmed) >= 0) return Promise.resolve([]);
    return readWhole({ ...range, to: smaller(range.to, trimmed) }, (part) => this.#table.read(part));
  }

  async #readTail(range: Range, last: string): Promise<readonly RawEntry[]> {
    if (compareIds(range.to, last) <= 0) return [];
    try {
      return await readWhole({ ...range, after: larger(range.after, last) }, (part) => this.#table.readCommitted(part));
    } catch (error) {
      if (this.#table.database.isAvailable) throw error;
      this.#logger.debug({ error: toError(error).message }, "PostgreSQL is away: what is not on Valkey yet is left out");
      return [];
    }
  }
}

/** Reads up to the limit: a page ends early where events are large. */
async function readWhole(range: Range, read: (range: Range) => Promise<readonly RawEntry[]>): Promise<readonly RawEntry[]> {
  const entries: RawEntry[] = [];
  for (let part = range; ;) {
    const page = await read(part);
    for (const entry of page) entries.push(entry);
    const last = page.at(-1);
    // A character has at most three bytes.
    const mayBeCut = 3 * page.reduce((length, { data = "" }) => length + data.length, 0) >= pageBytes;
    const limit = part.limit - page.length;
    if (!last || !mayBeCut || limit === 0) return entries;
    part = range.reverse ? { ...part, to: idBefore(last.id), limit } : { ...part, after: last.id, limit };
  }
}

// Somebody else's entries are not of the record.
function upTo(last: string, entries: readonly RawEntry[]): readonly RawEntry[] {
  return entries.filter(({ id }) => compareIds(id, last) <= 0);
}

function smaller(a: string, b: string): string {
  return compareIds(a, b) < 0 ? a : b;
}

function larger(a: string, b: string): string {
  return compareIds(a, b) > 0 ? a : b;
}
