import type { ParentRows, Released } from "../../postgres/job/parent-rows.ts";

/** Whether parents have what they wait for. */
export interface ReleaseQuestion {
  /** Of whose jobs, where they are of one queue. */
  readonly queue: string | undefined;
  readonly ask: () => Promise<Released[]>;
}

const page = 1_000;

/** For which parents is to be asked: all that became known since the last question are in one. */
export class ReleaseQuestions {
  readonly #rows: ParentRows;
  /** Families with children that have ended. */
  readonly #families = new Set<string>();
  /** Jobs that have ended, of which only that is known, by their queues. */
  readonly #ended = new Map<string, Set<string>>();
  /** Jobs that were parked here, with their queues. */
  readonly #parked: (readonly [queue: string, id: string])[] = [];

  constructor(rows: ParentRows) {
    this.#rows = rows;
  }

  noteFamilies(families: readonly string[]): void {
    for (const family of families) this.#families.add(family);
  }

  noteEnded(queue: string, id: string): void {
    const known = this.#ended.get(queue);
    if (known) known.add(id);
    else this.#ended.set(queue, new Set([id]));
  }

  noteParked(queue: string, id: string): void {
    this.#parked.push([queue, id]);
  }

  next(): ReleaseQuestion | undefined {
    const [parked] = this.#parked.splice(0, 1);
    if (parked) return { queue: parked[0], ask: () => this.#rows.releaseOwn(...parked) };
    const families = takeSome(this.#families);
    if (families.length > 0) return { queue: undefined, ask: () => this.#rows.releaseFamilies(families) };
    for (const [queue, ids] of this.#ended) {
      const some = takeSome(ids);
      if (ids.size === 0) this.#ended.delete(queue);
      return { queue, ask: () => this.#rows.release(queue, some) };
    }
    return undefined;
  }
}

function takeSome(set: Set<string>): string[] {
  const some = [...set].slice(0, page);
  for (const one of some) set.delete(one);
  return some;
}
