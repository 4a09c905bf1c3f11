import { performance } from "../../runtime/clock.ts";
import { toError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { delay, retryDelay } from "../../runtime/waiting.ts";
import { ListEnds } from "../jobs/second-look.ts";
import { none, type Found, type OutcomeShelf } from "./found.ts";

interface SeekerParts {
  readonly shelf: Required<{ readonly [Name in keyof OutcomeShelf]: NonNullable<OutcomeShelf[Name]> }>;
  readonly signal: AbortSignal;
  readonly logger: Logger;
  found(id: string, found: Found): void;
  gone(id: string): void;
}

/** Most results come before anybody has to look whether there is such a job. */
const patienceMs = 1_000;
// A job can move behind the look, but not again and again.
const misses = 2;
/** A look costs the server a fifth of the time that it takes. */
const pauses = 1;
const findPage = 250;

/** Looks through a plain queue whether jobs are there: one look at a time, for all who ask, and between two with pauses as long as it took. */
export class Seeker {
  readonly #parts: SeekerParts;
  /** How often each was not found. */
  readonly #sought = new Map<string, number>();
  #patience = new AbortController();
  #isSeeking = false;
  /** Of the last look. */
  #ends = new ListEnds();

  constructor(parts: SeekerParts) {
    this.#parts = parts;
  }

  seek(id: string, { isHurried }: { readonly isHurried: boolean }): void {
    if (!this.#sought.has(id)) this.#sought.set(id, 0);
    if (isHurried) this.#patience.abort();
    if (this.#isSeeking) return;
    this.#isSeeking = true;
    void this.#run();
  }

  forget(id: string): void {
    this.#sought.delete(id);
  }

  /** All of them were looked for, and not found. */
  get #areMissed(): boolean {
    return [...this.#sought.values()].every((count) => count > 0);
  }

  async #run(): Promise<void> {
    const { signal, logger } = this.#parts;
    await delay(patienceMs, AbortSignal.any([signal, this.#patience.signal]), { mayEnd: true });
    for (let failures = 0; this.#sought.size > 0 && !signal.aborted;) {
      const begun = performance.now();
      try {
        await this.#look();
        failures = 0;
      } catch (error) {
        logger.debug({ error: toError(error).message }, "a queue could not be looked through; it is tried again");
        await delay(retryDelay(failures++, { first: 50 }), signal);
      }
      // The second look is a short one.
      if (this.#sought.size > 0 && !this.#areMissed) await delay(pauses * (performance.now() - begun), signal);
    }
    this.#isSeeking = false;
    this.#patience = new AbortController();
  }

  async #look(): Promise<void> {
    const { shelf, found, gone } = this.#parts;
    const ids = new Set(this.#sought.keys());
    if (!this.#areMissed) this.#ends = new ListEnds();
    const there = await shelf.seek(ids, this.#ends);
    for (const [id, isKept] of there) {
      this.#sought.delete(id);
      found(id, { state: "open", isKept });
    }
    // It may have ended meanwhile.
    const missing = [...ids].filter((id) => !there.has(id) && this.#sought.has(id));
    for (let first = 0; first < missing.length; first += findPage) {
      const page = missing.slice(first, first + findPage);
      const outcomes = await shelf.find(page);
      page.forEach((id, index) => this.#noteMiss(id, outcomes[index] ?? none, { found, gone }));
    }
  }

  #noteMiss(id: string, outcome: Found, { found, gone }: Pick<SeekerParts, "found" | "gone">): void {
    const count = (this.#sought.get(id) ?? 0) + 1;
    if (outcome.state === "none" && count < misses) {
      if (this.#sought.has(id)) this.#sought.set(id, count);
      return;
    }
    this.#sought.delete(id);
    if (outcome.state === "none") gone(id);
    else found(id, outcome);
  }
}
