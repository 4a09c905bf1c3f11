import type { LetterHead } from "./dead-letter.ts";
import type { LetterQuery } from "./letter-filter.ts";
import type { HeadRange, ReadableShelf } from "./letter-shelf.ts";

const mostHeads = 500;
/** Each is looked up twice: so many keep Valkey for as long as a page of heads. */
const idPage = 50;

/**
 * Walks over the letters of a shelf that fit, page by page. Its place is the letter it came to last: what comes and goes meanwhile moves nothing, so it meets
 * nothing twice and misses nothing that is there all the time.
 */
export class LetterWalk {
  readonly #shelf: ReadableShelf;
  readonly #query: LetterQuery;
  readonly #order: HeadRange["order"];
  readonly #page: number;
  #after: LetterHead | undefined;
  #named: LetterHead[] | undefined;
  #isDone = false;

  constructor(
    shelf: ReadableShelf,
    query: LetterQuery,
    { order, page = mostHeads }: { readonly order: HeadRange["order"]; readonly page?: number | undefined },
  ) {
    this.#shelf = shelf;
    this.#query = query;
    this.#order = order;
    this.#page = page;
  }

  /** Those of the next page that fit, which may be none; undefined when there is no more. */
  async next(): Promise<readonly LetterHead[] | undefined> {
    if (this.#isDone) return undefined;
    const heads = await (this.#query.ids ? this.#nextNamed(this.#query.ids) : this.#nextPage());
    return heads.filter((head) => this.#query.fits(head));
  }

  async #nextPage(): Promise<readonly LetterHead[]> {
    const { first, last } = this.#query;
    const heads = await this.#shelf.page({ first, last, after: this.#after, order: this.#order, limit: this.#page });
    this.#after = heads.at(-1);
    this.#isDone = heads.length < this.#page;
    return heads;
  }

  // Their heads are read at once: they are about as many as the caller has named.
  async #nextNamed(ids: readonly string[]): Promise<readonly LetterHead[]> {
    this.#named ??= await this.#find(ids);
    const heads = this.#named.splice(0, this.#page);
    this.#isDone = this.#named.length === 0;
    return heads;
  }

  async #find(ids: readonly string[]): Promise<LetterHead[]> {
    const heads: LetterHead[] = [];
    for (let from = 0; from < ids.length; from += idPage) {
      for (const head of await this.#shelf.of(ids.slice(from, from + idPage))) heads.push(head);
    }
    return heads.sort((one, other) => (this.#order === "newest" ? other.place - one.place : one.place - other.place));
  }
}
