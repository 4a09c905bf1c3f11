import type { ValkeyConnection } from "../client/connection.ts";
import { groupScript } from "./group-script.ts";
import { wakeKeyOf } from "./group-wake.ts";
import type { GroupKeys } from "./keys.ts";

const adopt = groupScript(1, "group-letter", "group-letters-adopt");
const page = groupScript(1, "group-letter", "group-letters-page");
const act = groupScript(4, "group-letter", "group-letters-act");
const resetLetters = groupScript(1, "group-letter", "group-reset-letters");

// So much does one step answer or move, so that the server answers others in between.
const stepBytes = 1_048_576;
const adopted = 100;
const mostLetters = 200;

/** Which letters are meant: those of these entries, or the oldest. */
export type MeantLetters = { readonly ids: readonly string[] } | { readonly limit: number };

interface ActParts {
  readonly linePrefix: string;
  readonly between: (done: number) => Promise<void>;
}

/** The dead letters of one consumer group of a plain stream: see scripts/group-letter.lua. */
export class GroupLetterLog {
  readonly #connection: ValkeyConnection;
  readonly #keys: GroupKeys;

  constructor(connection: ValkeyConnection, keys: GroupKeys) {
    this.#connection = connection;
    this.#keys = keys;
  }

  /** Takes over what versions before have written. */
  async adopt(): Promise<void> {
    const { dead } = this.#keys;
    const count = await this.#connection.client.llen(dead);
    for (let looked = 0; looked < count; looked += adopted) {
      if ((await adopt.run(this.#connection, [dead, adopted])) === 0) return;
    }
  }

  /** Up to `limit` of those that died before a place, newest first, with the place of each; "" for the newest. Fewer where they are large. */
  async page(before: string, limit: number): Promise<readonly { readonly place: string; readonly text: string }[]> {
    const from = before === "" ? "+inf" : `(${before}`;
    const [, ...found] = (await page.run(this.#connection, [this.#keys.dead, from, limit, stepBytes])) as [number, ...string[]];
    return Array.from({ length: found.length / 2 }, (_, index) => ({ place: found[2 * index] ?? "", text: found[2 * index + 1] ?? "" }));
  }

  /** Hands them out again, or removes them. Returns how many. `linePrefix` is empty for a stream without keys; `between` is told behind each page, and may end it. */
  async act(kind: "redrive" | "discard", meant: MeantLetters, { linePrefix, between }: ActParts): Promise<number> {
    const { again, entries, dead, stream } = this.#keys;
    // One that dies again meanwhile is behind it.
    const [, last = "0"] = "ids" in meant ? [] : await this.#connection.client.zrange(`${dead}:order`, -1, -1, "WITHSCORES");
    const run = async (limit: number, after: string, ids: readonly string[]): Promise<[number, number, string]> => {
      const values = [again, entries, dead, wakeKeyOf(stream), kind, linePrefix, stepBytes, limit, after, last, ...ids];
      return (await act.run(this.#connection, values)) as [number, number, string];
    };
    let count = 0;
    if ("ids" in meant) {
      for (let from = 0; from < meant.ids.length;) {
        const [looked, done] = await run(0, "", meant.ids.slice(from, from + mostLetters));
        from += Math.max(1, looked);
        count += done;
        await between(count);
      }
      return count;
    }
    for (let after = "0"; count < meant.limit;) {
      const [looked, done, place] = await run(Math.min(mostLetters, meant.limit - count), after, []);
      count += done;
      if (looked === 0) break;
      await between(count);
      after = place;
    }
    return count;
  }

  /** Removes those of entries behind `start`. */
  async removeBehind(start: string): Promise<void> {
    for (let after = "0"; after !== "";) {
      after = (await resetLetters.run(this.#connection, [this.#keys.dead, start, after, mostLetters])) as string;
    }
  }
}
