/*
 * DESIGN. How many entries come behind a place that moves on. Counting reads: so a look counts a bounded part of them, in pages, and what was counted is kept. The next look goes on from there and
 * adds what has come since, and what the place has passed meanwhile is subtracted, by the marks that each page has left. As long as the end was not reached the rest is estimated: by how much
 * time it spans, at the density of what was counted.
 */
import { performance } from "../runtime/clock.ts";
import type { CountedPage } from "../valkey/stream/group-admin.ts";
import { compareIds, timeOf } from "./entry-id.ts";

export interface CountSource {
  /** Counts a page of entries behind `after`, up to and including `to`; a page is full where `isFull` says so. */
  countPage(after: string, to: string): Promise<CountedPage & { readonly isFull: boolean }>;
  readonly pagesALook: number;
}

export interface Behind {
  readonly entries: number;
  readonly isExact: boolean;
}

/** Entries can be deleted that were counted: what was counted is forgotten after this. */
const keptMs = 600_000;

export class BehindCounter {
  readonly #source: CountSource;
  /** Places, and how many entries there are behind the first of them up to each. */
  #marks: { readonly id: string; readonly entries: number }[] = [];
  #begunAt = 0;
  #looking: Promise<unknown> = Promise.resolve();

  constructor(source: CountSource) {
    this.#source = source;
  }

  /** How many come behind `place`, where the newest there is has the id `newest`. Looks wait for each other. */
  behind(place: string, newest: string): Promise<Behind> {
    const look = this.#looking.then(() => this.#look(place, newest));
    this.#looking = look.catch(() => undefined);
    return look;
  }

  async #look(place: string, newest: string): Promise<Behind> {
    this.#begin(place);
    let isComplete = false;
    let pages = 0;
    for (; pages < this.#source.pagesALook && !isComplete; pages++) {
      const { id, entries } = this.#end;
      const page = await this.#source.countPage(id, "+");
      if (page.entries > 0) this.#marks.push({ id: page.last, entries: entries + page.entries });
      isComplete = !page.isFull;
    }
    const total = this.#end.entries - (await this.#passed(place));
    // What one look can count is counted anew by the next.
    if (isComplete && this.#marks.length <= this.#source.pagesALook) this.#begunAt = -Infinity;
    return { entries: Math.max(0, total) + (isComplete ? 0 : this.#estimateRest(newest)), isExact: isComplete };
  }

  get #end(): { readonly id: string; readonly entries: number } {
    return this.#marks.at(-1) ?? { id: "0-0", entries: 0 };
  }

  #begin(place: string): void {
    const [first] = this.#marks;
    const isKnown = first && compareIds(first.id, place) <= 0 && compareIds(place, this.#end.id) <= 0;
    if (isKnown && performance.now() - this.#begunAt < keptMs) return;
    this.#marks = [{ id: place, entries: 0 }];
    this.#begunAt = performance.now();
  }

  /** How many of those that were counted are not behind the place any more. */
  async #passed(place: string): Promise<number> {
    const index = this.#marks.findLastIndex(({ id }) => compareIds(id, place) <= 0);
    this.#marks.splice(0, index);
    const [mark] = this.#marks;
    if (!mark) return 0;
    return mark.id === place ? mark.entries : mark.entries + (await this.#source.countPage(mark.id, place)).entries;
  }

  #estimateRest(newest: string): number {
    const [first] = this.#marks;
    if (!first) return 0;
    const [begin, end, last] = [first.id, this.#end.id, newest].map(timeOf) as [number, number, number];
    // Behind the beginning of the log no entry tells of a time.
    const counted = begin === 0 ? undefined : end - begin;
    if (counted === undefined || counted <= 0) return 0;
    return Math.round(((this.#end.entries - first.entries) * Math.max(0, last - end)) / counted);
  }
}

// It is read from an index.
const recordPage = 20_000;

/** Counts events of a record, page by page. */
export function countInRecord(events: {
  countPage(after: string, range: { readonly to: string; readonly limit: number }): Promise<CountedPage>;
}): CountSource {
  return {
    pagesALook: 1,
    async countPage(after, to) {
      const page = await events.countPage(after, { to, limit: recordPage });
      return { ...page, isFull: page.entries === recordPage };
    },
  };
}
