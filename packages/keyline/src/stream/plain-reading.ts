import type { LogPage, StreamLog } from "../valkey/stream/stream-log.ts";
import type { RawEntry } from "./entry.ts";
import { compareIds, idBefore, lastId } from "./entry-id.ts";
import type { NextPage, PageSize, Range, Reading, ReadPlace } from "./reading.ts";

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
    const { after } = place;
    const page = await this.#log.read({ ...size, ...behind(after, size.limit), to: "+", reverse: false, place: after });
    return { entries: page.entries, newest: page.newest, epoch: page.epoch, gap: findGap(place, page) };
  }

  async history(key: string, { limit, reverse }: { readonly limit: number; readonly reverse: boolean }): Promise<readonly RawEntry[]> {
    const { connection } = this.#log;
    if (!connection.isReady) await connection.ensureReady(readyWithinMs);
    const entries = await this.#log.history(key, Number.isFinite(limit) ? -limit : 0, -1);
    return reverse ? entries.toReversed() : entries;
  }

  async newest(): Promise<string> {
    const { connection } = this.#log;
    if (!connection.isReady) await connection.ensureReady(readyWithinMs);
    return (await this.#log.read({ from: "+", to: "+", limit: 1, reverse: false })).newest;
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

function findGap({ after, epoch, isHeld = false }: ReadPlace, page: LogPage): NextPage["gap"] {
  const { newest, trimmed, first } = page;
  if (epoch === undefined) return undefined;
  if (epoch !== "" && epoch !== page.epoch) return { reason: "lost", until: "0-0" };
  if (compareIds(after, newest) > 0) return { reason: "lost", until: newest };
  if (page.isPlaceThere || compareIds(after, newest) === 0) return undefined;
  if (epoch === "" && after !== "0-0" && compareIds(after, page.began) < 0) return { reason: "lost", until: "0-0" };
  if (compareIds(after, trimmed) < 0) return { reason: "trimmed", until: trimmed };
  // What was given and is not there, or was removed by somebody else.
  if (after === trimmed || (page.added === page.length && !isHeld)) return undefined;
  if (first === "") return { reason: "trimmed", until: newest };
  const until = idBefore(first);
  if (compareIds(after, until) < 0) return { reason: "trimmed", until };
  return isHeld ? { reason: "lost", until: after } : undefined;
}
