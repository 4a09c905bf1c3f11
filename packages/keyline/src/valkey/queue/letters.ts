import type { ValkeyConnection } from "../client/connection.ts";
import { scriptsBeside } from "../client/script.ts";
import type { QueueKeys } from "./keys.ts";

const script = scriptsBeside(import.meta.url);
const page = script(1, "letter-page");
const lettersOf = script(1, "letters-of");
const jobs = script(1, "letter-jobs");
const redrive = script(2, "base", "place", "lines", "groups", "letter", "redrive");
const discard = script(1, "letter", "discard");
const drop = script(1, "letter", "drop-letters");

// So much does one step move or answer, so that the server answers others in between. A letter that is put back costs three times what its removal does: it is read, checked, and written to the
// queue first. And the first step on a server compiles its script, which takes as long as such a page.
const stepBytes = 4_194_304;
const stepLetters = { redrive: 20, discard: 40 } as const;

/** A dead letter to be written: see letter.lua. */
export interface NewLetter {
  /** Empty where the element could not be read. */
  readonly id: string;
  readonly why: string;
  readonly job: string;
}

export interface LetterRetention {
  readonly maxLength: number;
  readonly maxAgeMs: number;
}

/** Where a letter is, and why, as its writer put it. */
export interface FoundLetter {
  readonly key: string;
  readonly why: string;
}

/** Places from `first` to `last`, which are microseconds since 1970; both are included. */
export interface LetterRange {
  readonly first: number;
  readonly last: number;
  readonly order: "newest" | "oldest";
  readonly limit: number;
}

/** The dead letters that one queue has on Valkey: all of those of a plain queue. What they consist of: letter.lua. */
export class Letters {
  readonly #connection: ValkeyConnection;
  readonly #keys: QueueKeys;

  constructor(connection: ValkeyConnection, keys: QueueKeys) {
    this.#connection = connection;
    this.#keys = keys;
  }

  async page({ first, last, order, limit }: LetterRange): Promise<FoundLetter[]> {
    return toFound((await page.run(this.#connection, [this.#keys.dead, first, last, order, limit])) as string[]);
  }

  /** All letters of these ids, read in pages of `limit`. */
  async of(ids: readonly string[], limit = 500): Promise<FoundLetter[]> {
    const found: FoundLetter[] = [];
    for (let from = 0, after = ""; from < ids.length;) {
      const answer = await lettersOf.run(this.#connection, [this.#keys.dead, limit, after, ...ids.slice(from)]);
      const [done, ...texts] = answer as [number, ...string[]];
      const letters = toFound(texts);
      found.push(...letters);
      from += done;
      // The id that the page ended with may have more of them.
      after = letters.length === limit ? (letters.at(-1)?.key ?? "") : "";
    }
    return found;
  }

  /** The stack and the element of each, as written; empty for one that is gone. */
  async jobs(keys: readonly string[]): Promise<string[]> {
    const found: string[] = [];
    while (found.length < keys.length) {
      const answer = await jobs.run(this.#connection, [this.#keys.dead, stepBytes, ...keys.slice(found.length)]);
      found.push(...(answer as string[]));
    }
    return found;
  }

  /** Puts letters back on the queue, in this order. Returns how many of them could be. */
  async redrive(keys: readonly string[]): Promise<number> {
    const { workers, dead } = this.#keys;
    let count = 0;
    for (let from = 0; from < keys.length;) {
      const answer = await redrive.run(this.#connection, [workers, dead, stepBytes, ...keys.slice(from, from + stepLetters.redrive)]);
      const [looked, moved] = answer as [number, number];
      from += looked;
      count += moved;
    }
    return count;
  }

  /** Removes letters. Returns how many there were. */
  async discard(keys: readonly string[]): Promise<number> {
    let count = 0;
    for (let from = 0; from < keys.length; from += stepLetters.discard) {
      count += (await discard.run(this.#connection, [this.#keys.dead, ...keys.slice(from, from + stepLetters.discard)])) as number;
    }
    return count;
  }

  /** Drops up to `limit` letters that are not kept any longer. Returns how many. */
  async drop({ maxLength, maxAgeMs }: LetterRetention, limit: number): Promise<number> {
    return (await drop.run(this.#connection, [this.#keys.dead, maxLength, maxAgeMs, limit])) as number;
  }

  count(): Promise<number> {
    return this.#connection.client.zcard(this.#keys.dead);
  }

  /** The place of the newest; 0 when there is none. */
  async newestPlace(): Promise<number> {
    const [, place = "0"] = await this.#connection.client.zrange(this.#keys.dead, -1, -1, "WITHSCORES");
    return Number(place);
  }
}

function toFound(texts: readonly string[]): FoundLetter[] {
  const found: FoundLetter[] = [];
  for (let index = 0; index < texts.length; index += 2) found.push({ key: texts[index] ?? "", why: texts[index + 1] ?? "" });
  return found;
}
