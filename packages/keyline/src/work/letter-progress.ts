/** How far an act on dead letters has come. */
export interface LetterProgress {
  /** How many it has acted on. */
  readonly done: number;
  /** How many there were when it began; undefined where a filter decides which of them are meant, and of consumer groups. */
  readonly total: number | undefined;
}
