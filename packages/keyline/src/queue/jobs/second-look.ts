import type { AnyPlace } from "../../valkey/queue/job-pages.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";

/*
 * A job that is not found may have moved behind the look, so one looks again. What waits in a list stays where it is: jobs come at its left, and a few return at its
 * right. So the second look goes from both ends, as far as the first one has seen what is there.
 */

const page = 300;

interface Ends {
  readonly first: string;
  last: ReadonlySet<string>;
}

/** What a look has seen at the ends of the lists. */
export class ListEnds {
  readonly #ends = new Map<AnyPlace, Ends>();

  /** The pages of a list come in their order. */
  note(place: AnyPlace, seen: readonly string[]): void {
    const [first] = seen;
    if (!place.startsWith("waiting") || first === undefined) return;
    const ends = this.#ends.get(place);
    if (ends) ends.last = new Set(seen);
    else this.#ends.set(place, { first, last: new Set(seen) });
  }

  /** The elements of the list that the look may not have seen, page by page; undefined where all of it is to be read. */
  unseen(store: QueueStore, place: AnyPlace): AsyncGenerator<readonly string[]> | undefined {
    const ends = this.#ends.get(place);
    return ends && unseen(store, place, ends);
  }
}

async function* unseen({ keys, reads }: QueueStore, place: AnyPlace, { first, last }: Ends): AsyncGenerator<readonly string[]> {
  const list = keys.at(place);
  for (let at = 0, isOver = false; !isOver; at += page) {
    const elements = await reads.elements(list, at, at + page - 1);
    yield elements;
    isOver = elements.length < page || elements.includes(first);
  }
  for (let at = 0, isOver = false; !isOver; at += page) {
    const elements = await reads.elements(list, -at - page, -at - 1);
    yield elements;
    isOver = elements.length < page || elements.some((raw) => last.has(raw));
  }
}
