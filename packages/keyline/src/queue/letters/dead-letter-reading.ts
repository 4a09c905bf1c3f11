import type { NextPage } from "../../runtime/paged-source.ts";
import type { DeadLetter, LetterHead } from "./dead-letter.ts";
import type { LetterQuery } from "./letter-filter.ts";
import type { ReadableShelf } from "./letter-shelf.ts";
import { LetterWalk } from "./letter-walk.ts";

/** How many heads one step reads, and how many letters with their jobs, when somebody waits for the first of them. */
interface Pages {
  readonly heads?: number;
  readonly letters?: number;
}

/** Where a reading is on one shelf. */
class Strand {
  readonly shelf: ReadableShelf;
  readonly #walk: LetterWalk;
  #heads: readonly LetterHead[] | undefined = [];
  #place = 0;

  constructor(shelf: ReadableShelf, query: LetterQuery, page: number | undefined) {
    this.shelf = shelf;
    this.#walk = new LetterWalk(shelf, query, { order: "newest", page });
  }

  /** The newest that was not taken; undefined when there is none. */
  get head(): LetterHead | undefined {
    return this.#heads?.[this.#place];
  }

  take(): void {
    this.#place++;
  }

  async fill(signal: AbortSignal): Promise<void> {
    while (!this.head && this.#heads && !signal.aborted) {
      this.#heads = await this.#walk.next();
      this.#place = 0;
    }
  }
}

/** A reading of the letters of all shelves that fit, newest first. */
export class DeadLetterReading {
  readonly #strands: readonly Strand[];
  readonly #page: number;
  #left: number;

  constructor(shelves: readonly ReadableShelf[], query: LetterQuery, { heads, letters = 50 }: Pages = {}) {
    this.#strands = shelves.map((shelf) => new Strand(shelf, query, heads));
    this.#page = letters;
    this.#left = query.limit;
  }

  readonly next: NextPage<DeadLetter> = async (signal) => {
    for (;;) {
      const found = await this.#collect(Math.min(this.#page, this.#left), signal);
      if (found.length === 0) return undefined;
      const letters = await this.#read(found);
      this.#left -= letters.length;
      if (letters.length > 0) return letters;
    }
  };

  /** The newest heads of all shelves. */
  async #collect(limit: number, signal: AbortSignal): Promise<{ readonly strand: Strand; readonly head: LetterHead }[]> {
    const found: { strand: Strand; head: LetterHead }[] = [];
    while (found.length < limit) {
      let newest: { strand: Strand; head: LetterHead } | undefined;
      for (const strand of this.#strands) {
        await strand.fill(signal);
        const { head } = strand;
        if (head && (!newest || head.place > newest.head.place)) newest = { strand, head };
      }
      if (!newest || signal.aborted) break;
      newest.strand.take();
      found.push(newest);
    }
    return found;
  }

  async #read(found: readonly { readonly strand: Strand; readonly head: LetterHead }[]): Promise<DeadLetter[]> {
    const letters = new Map<LetterHead, DeadLetter>();
    for (const [strand, part] of Map.groupBy(found, (one) => one.strand)) {
      const heads = part.map(({ head }) => head);
      const read = await strand.shelf.read(heads);
      heads.forEach((head, index) => {
        const letter = read[index];
        if (letter) letters.set(head, letter);
      });
    }
    return found.flatMap(({ head }) => letters.get(head) ?? []);
  }
}
