import type { NextPage, Reading, ReadPlace } from "./reading.ts";

const kept = 8;
const freshMs = 1_000;

interface SharedPage {
  readonly place: string;
  readonly page: Promise<NextPage>;
  readonly at: number;
}

/** Pages that many readers of one process want: those who are at the same place share one read. */
export class SharedPages {
  readonly #reading: Reading;
  #pages: SharedPage[] = [];

  constructor(reading: Reading) {
    this.#reading = reading;
  }

  next(place: ReadPlace, limit: number): Promise<NextPage> {
    const now = performance.now();
    const name = `${place.after} ${place.epoch ?? "none"} ${limit}`;
    const known = this.#pages.find((shared) => shared.place === name && now - shared.at < freshMs);
    if (known) return known.page;
    const page = this.#reading.next(place, limit);
    const shared = { place: name, page, at: now };
    this.#pages = [...this.#pages.slice(1 - kept), shared];
    // One that shows nothing new, or nothing at all, is not to be seen by who comes later.
    const forget = (): void => void (this.#pages = this.#pages.filter((other) => other !== shared));
    page.then((found) => (found.entries.length === 0 || found.gap) && forget(), forget);
    return page;
  }
}
