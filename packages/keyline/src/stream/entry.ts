/** What a stream keeps of one event. */
export interface Entry<Data> {
  /** Grows with every entry of the stream. */
  readonly id: string;
  readonly data: Data;
  /**
   * When it was appended, in milliseconds since 1970; on a transactional stream, when its transaction was seen committed. It is the first number of
   * the id: behind an id that somebody else made of something else, it is that.
   */
  readonly at: number;
  /** What the stream's `key` said of it. */
  readonly key: string | undefined;
}

/** An entry before its data was looked at. */
export interface RawEntry {
  readonly id: string;
  readonly key: string | undefined;
  /** The field `data`, as JSON; undefined where a foreign writer left it out. */
  readonly data: string | undefined;
  /** Of whoever appended it, where it came with one. */
  readonly trace?: string | undefined;
}
