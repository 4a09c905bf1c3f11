import { mostRows, type Came } from "./source.ts";

/** Gathers what comes until somebody takes it: the newest rows, and how many were before them. */
export class Rows<Row> {
  #rows: Row[] = [];
  #skipped: number | undefined = 0;
  /** How many came since the last time. */
  pending = 0;

  push(row: Row): void {
    this.#rows.push(row);
    this.pending++;
    if (this.#rows.length <= 2 * mostRows) return;
    this.#skip(this.#rows.length - mostRows);
    this.#rows = this.#rows.slice(-mostRows);
  }

  /** These are missing; undefined: nobody knows how many. */
  miss(count: number | undefined): void {
    this.#skip(count);
  }

  /** Undefined when nothing came. */
  take(shown: (row: Row) => unknown): Came | undefined {
    this.pending = 0;
    if (this.#rows.length === 0 && this.#skipped === 0) return undefined;
    const rows = this.#rows.slice(-mostRows);
    this.#skip(this.#rows.length - rows.length);
    const came = { rows: rows.map(shown), skipped: this.#skipped };
    this.#rows = [];
    this.#skipped = 0;
    return came;
  }

  #skip(count: number | undefined): void {
    this.#skipped = count === undefined || this.#skipped === undefined ? undefined : this.#skipped + count;
  }
}
