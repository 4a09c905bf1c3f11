/** Who works here, and on what: the words in which a shift reports. */
export interface Trade<Unit> {
  readonly role: "worker" | "consumer";
  readonly unit: "a job" | "an entry";
  /** As in "queue orders". */
  readonly place: string;
  /** For loggers. */
  readonly fields: Readonly<Record<string, string>>;
  /** Undefined of what could not be read. */
  idOf(unit: Unit): string | undefined;
  /** As in "job 17 of queue orders". */
  nameOf(unit: Unit): string;
}

/** The name at the beginning of a sentence. */
export function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
