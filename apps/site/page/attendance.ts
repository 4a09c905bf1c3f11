/**
 * Tells what was published while a page was away. A subscription that resumes brings what was missed and what is new through the same
 * door, and in the same form; but what was published before the connection began has been missed. Both times are the server's.
 */
export class Attendance {
  #visits: number;
  #since = 0;
  #next = 0;

  /** `cameBefore`: this page goes on where an earlier one ended, and what came in between was missed. */
  constructor({ cameBefore = false }: { readonly cameBefore?: boolean } = {}) {
    this.#visits = cameBefore ? 1 : 0;
  }

  /** A connection is about to be tried, at this time by the server's clock. */
  prepare(at: number): void {
    this.#next = at;
  }

  /** The connection is there. */
  begin(): void {
    this.#visits++;
    this.#since = this.#next;
  }

  /** The number of the absence during which something was published; undefined when the page was there, or had not been opened before. */
  absenceOf(at: number): number | undefined {
    return this.#visits > 1 && at < this.#since ? this.#visits - 1 : undefined;
  }
}
