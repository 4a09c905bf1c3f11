import type { DeadLetter, LetterHead } from "./dead-letter.ts";

/** A page of heads: with places from `first` to `last`, behind `after`. */
export interface HeadRange {
  readonly first: number;
  readonly last: number;
  readonly after: LetterHead | undefined;
  readonly order: "newest" | "oldest";
  readonly limit: number;
}

/** A store that has dead letters of a queue, for who reads them. */
export interface ReadableShelf {
  page(range: HeadRange): Promise<readonly LetterHead[]>;
  of(ids: readonly string[]): Promise<readonly LetterHead[]>;
  /** Each with its job; undefined for one that is gone. */
  read(heads: readonly LetterHead[]): Promise<readonly (DeadLetter | undefined)[]>;
  count(): Promise<number>;
}

/** The same for who acts on them. A letter that went, or died again, since its head was read is left alone. */
export interface LetterShelf extends ReadableShelf {
  /** Puts them back on the queue, in this order. Returns how many. */
  redrive(heads: readonly LetterHead[]): Promise<number>;
  /** Removes them for good. Returns how many. */
  discard(heads: readonly LetterHead[]): Promise<number>;
  /** A place behind which everything is that dies from now on. */
  newestPlace(): Promise<number>;
}
