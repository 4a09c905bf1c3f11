import type { RawEntry } from "./entry.ts";

export interface Range {
  /** The lower end, itself left out. */
  readonly after: string;
  /** The upper end, included. */
  readonly to: string;
  readonly limit: number;
  readonly reverse: boolean;
  /** Only entries of this key. */
  readonly key?: string | undefined;
}

/** How much is read at once: a page ends with the entry that reaches either limit. */
export interface PageSize {
  readonly limit: number;
  readonly mostBytes: number;
}

/** Why a reader cannot have everything from its place on: then it goes on behind `until`. */
export interface Gap {
  readonly reason: "trimmed" | "lost";
  readonly until: string;
}

/** Entries behind a reader's place, and what is missing in front of them. */
export interface NextPage {
  readonly entries: readonly RawEntry[];
  readonly gap: Gap | undefined;
  /** The newest id there is: a reader that is up to date waits for what comes after it. */
  readonly newest: string;
  /** The name of this memory of the stream. */
  readonly epoch: string;
  /** Entries that were ever added to it, where that is known. */
  readonly added?: number;
}

/** Where a reader is, and in which memory of the stream it got there. */
export interface ReadPlace {
  readonly after: string;
  /** Empty for a place that is known from earlier; undefined for one at which nothing can be missed, as the beginning or a time. */
  readonly epoch: string | undefined;
  /** It was given the entry at `after`, in this memory of the stream. */
  readonly isHeld?: boolean;
  /** How many entries had ever been added to it then. */
  readonly added?: number | undefined;
}

/** How much a stream has. */
export interface StreamInfo {
  /** How many entries there are; of a transactional stream those in PostgreSQL. */
  readonly length: number;
  /** False as long as a record has so many that they were not all counted yet; the next looks of this process go on counting. */
  readonly isLengthExact: boolean;
  readonly firstId: string | undefined;
  readonly lastId: string | undefined;
}

/** How a stream is read, wherever its entries are. */
export interface Reading {
  /** Entries within a range, in their order or backwards; fewer than its limit only where there are no more. */
  page(range: Range): Promise<readonly RawEntry[]>;
  /** The next entries for somebody who follows; none only where there are none yet. */
  next(place: ReadPlace, size: PageSize): Promise<NextPage>;
  /** The entries of one key, in their order or backwards: the newest `limit`. */
  history(key: string, options: { readonly limit: number; readonly reverse: boolean }): Promise<readonly RawEntry[]>;
  /** The place behind everything there is. */
  end(): Promise<ReadPlace>;
  info(): Promise<StreamInfo>;
  /** How many entries there are. */
  count(): Promise<number>;
}
