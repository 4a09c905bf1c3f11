import type { Letters } from "../../valkey/queue/letters.ts";
import { readHead, readLetter, type DeadLetter, type LetterHead } from "./dead-letter.ts";
import type { HeadRange, LetterShelf } from "./letter-shelf.ts";

/** The dead letters of a plain queue; on a transactional one those of elements that are no job. */
export class LettersOnValkey implements LetterShelf {
  readonly #letters: Letters;

  constructor(letters: Letters) {
    this.#letters = letters;
  }

  async page({ first, last, after, order, limit }: HeadRange): Promise<LetterHead[]> {
    const range =
      order === "newest"
        ? { first, last: after ? Math.min(last, after.place - 1) : last }
        : { first: after ? Math.max(first, after.place + 1) : first, last };
    return (await this.#letters.page({ ...range, order, limit })).map(readHead);
  }

  async of(ids: readonly string[]): Promise<LetterHead[]> {
    return (await this.#letters.of(ids)).map(readHead);
  }

  async read(heads: readonly LetterHead[]): Promise<(DeadLetter | undefined)[]> {
    const jobs = await this.#letters.jobs(keysOf(heads));
    return heads.map((head, index) => {
      const job = jobs[index];
      return job ? readLetter(head, job) : undefined;
    });
  }

  redrive(heads: readonly LetterHead[]): Promise<number> {
    return this.#letters.redrive(keysOf(heads));
  }

  discard(heads: readonly LetterHead[]): Promise<number> {
    return this.#letters.discard(keysOf(heads));
  }

  count(): Promise<number> {
    return this.#letters.count();
  }

  newestPlace(): Promise<number> {
    return this.#letters.newestPlace();
  }
}

function keysOf(heads: readonly LetterHead[]): string[] {
  return heads.map(({ key }) => key);
}
