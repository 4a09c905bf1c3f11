import type { NextPage, PageSize, Reading, ReadPlace } from "./reading.ts";
import { setTimeout } from "../runtime/clock.ts";

/** A reader that stands still holds one page: entries may be megabytes. */
const pageSize: PageSize = { limit: 500, mostBytes: 1_048_576 };

const kept = 8;
const freshMs = 1_000;

interface SharedPage {
  readonly place: string;
  readonly page: Promise<NextPage>;
}

/** Pages that many readers of one process want: those who are at the same place within a second share one read. */
export class SharedPages {
  readonly #reading: Reading;
  #pages: readonly SharedPage[] = [];

  constructor(reading: Reading) {
    this.#reading = reading;
  }

  next(place: ReadPlace): Promise<NextPage> {
    const name = `${place.after} ${place.epoch ?? "none"}`;
    const known = this.#pages.find((shared) => shared.place === name);
    if (known) return known.page;
    const shared = { place: name, page: this.#reading.next(place, pageSize) };
    this.#pages = [...this.#pages.slice(1 - kept), shared];
    const forget = (): void => void (this.#pages = this.#pages.filter((other) => other !== shared));
    // Later readers must not see a page that shows nothing new, or nothing at all; and a page that nobody waits for is not kept.
    const keepForAWhile = ({ entries, gap }: NextPage): void => {
      if (entries.length === 0 || gap) forget();
      else setTimeout(forget, freshMs).unref();
    };
    shared.page.then(keepForAWhile, forget);
    return shared.page;
  }
}
