import type { StreamLog } from "../valkey/stream/stream-log.ts";
import type { RawEntry } from "./entry.ts";
import { lastId } from "./entry-id.ts";
import { findGap, memoryOf } from "./plain-gap.ts";
import type { NextPage, PageSize, Range, Reading, ReadPlace, StreamInfo } from "./reading.ts";

const readyWithinMs = 5_000;

/** Reads a plain stream: everything there is of it is on Valkey. */
export class PlainReading implements Reading {
  readonly #log: StreamLog;

  constructor(log: StreamLog) {
    this.#log = log;
  }

  async page({ after, to, limit, reverse, key }: Range): Promise<readonly RawEntry[]> {
    const { connection } = this.#log;
    if (!connection.isReady) await connection.ensureReady(readyWithinMs);
    if (key !== undefined) return this.#log.keyPage(key, { after, to, limit, reverse });
    return (await this.#log.read({ ...behind(after, limit), to, reverse })).entries;
  }

  async next(place: ReadPlace, size: PageSize): Promise<NextPage> {
    const page = await this.#log.read({ ...size, ...behind(place.after, size.limit), to: "+", reverse: false, place });
    return { entries: page.entries, newest: page.newest, epoch: memoryOf(page), added: page.added, gap: findGap(place, page) };
  }

  async history(key: string, { limit, reverse }: { readonly limit: number; readonly reverse: boolean }): Promise<readonly RawEntry[]> {
    const { connection } = this.#log;
    if (!connection.isReady) await connection.ensureReady(readyWithinMs);
    const entries = await this.#log.history(key, Number.isFinite(limit) ? -limit : 0, -1);
    return reverse ? entries.toReversed() : entries;
  }

  async end(): Promise<ReadPlace> {
    const { connection } = this.#log;
    if (!connection.isReady) await connection.ensureReady(readyWithinMs);
    const page = await this.#log.read({ from: "+", to: "+", limit: 0, reverse: false });
    return { after: page.newest, epoch: memoryOf(page), added: page.added };
  }

  async info(): Promise<StreamInfo> {
    await this.#log.connection.ensureReady(readyWithinMs);
    return { ...(await this.#log.info()), isLengthExact: true };
  }

  count(): Promise<number> {
    return this.#log.length();
  }
}

/** The start of a range that leaves out `id`. Nothing has the id 0-0, and nothing is behind the last of all, which the server does not take there. */
export function behind(id: string, limit: number): { readonly from: string; readonly limit: number } {
  if (id === lastId) return { from: "+", limit: 0 };
  return { from: id === "0-0" ? "-" : `(${id}`, limit };
}
