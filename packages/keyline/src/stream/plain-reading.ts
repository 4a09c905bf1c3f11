import type { StreamLog } from "../valkey/stream-log.ts";
import type { RawEntry } from "./entry.ts";
import { compareIds } from "./entry-id.ts";
import type { NextPage, Range, Reading, ReadPlace } from "./reading.ts";

const readyWithinMs = 5_000;

/** Reads a plain stream: everything there is of it is on Valkey. */
export class PlainReading implements Reading {
  readonly #log: StreamLog;

  constructor(log: StreamLog) {
    this.#log = log;
  }

  async page({ after, to, limit, reverse }: Range): Promise<readonly RawEntry[]> {
    const { connection } = this.#log;
    if (!connection.isReady) await connection.ensureReady(readyWithinMs);
    return (await this.#log.read({ from: afterId(after), to, limit, reverse })).entries;
  }

  async next(place: ReadPlace, limit: number): Promise<NextPage> {
    const { epoch, began, trimmed, newest, entries } = await this.#log.read({ from: afterId(place.after), to: "+", limit, reverse: false });
    return { entries, newest, epoch, gap: findGap(place, { epoch, began, trimmed, newest }) };
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

/** The start of a range that leaves out `id`. Nothing has the id 0-0. */
export function afterId(id: string): string {
  return id === "0-0" ? "-" : `(${id}`;
}

function findGap(
  { after, epoch }: ReadPlace,
  now: { readonly epoch: string; readonly began: string; readonly trimmed: string; readonly newest: string },
): NextPage["gap"] {
  if (epoch === undefined) return undefined;
  if (epoch !== "" && epoch !== now.epoch) return { reason: "lost", until: "0-0" };
  if (compareIds(after, now.newest) > 0) return { reason: "lost", until: now.newest };
  if (after !== "0-0" && compareIds(after, now.began) < 0) return { reason: "lost", until: "0-0" };
  if (compareIds(after, now.trimmed) < 0) return { reason: "trimmed", until: now.trimmed };
  return undefined;
}
