import type { ValkeyConnection } from "../client/connection.ts";
import { scriptsBeside } from "../client/script.ts";
import type { QueueKeys } from "./keys.ts";

const script = scriptsBeside(import.meta.url);
const add = script(1, "oom", "base", "place", "rates-add");
const read = script(1, "base", "place", "rates-read");

/** So long a minute is kept: a day, and an hour more for who comes late. */
const keptMs = 1_500 * 60_000;
const page = 100;

/** What was counted in one minute, by the names that scripts/rates-add.lua has. */
export interface CountedMinute {
  /** Since 1970. */
  readonly minute: number;
  readonly counts: ReadonlyMap<string, number>;
}

/** How much one queue does, minute by minute. */
export class Rates {
  readonly #connection: ValkeyConnection;
  readonly #keys: QueueKeys;

  constructor(connection: ValkeyConnection, keys: QueueKeys) {
    this.#connection = connection;
    this.#keys = keys;
  }

  async add(counts: ReadonlyMap<string, number>): Promise<void> {
    await add.run(this.#connection, [this.#keys.workers, keptMs, ...[...counts].flat()]);
  }

  /** The last `minutes`, the present one included, oldest first. */
  async read(minutes: number): Promise<CountedMinute[]> {
    const found: CountedMinute[] = [];
    for (let last: number | undefined; found.length < minutes;) {
      const size = Math.min(page, minutes - found.length);
      const [first, ...hashes] = (await read.run(this.#connection, [this.#keys.workers, last ?? "", size])) as [number, ...string[][]];
      hashes.forEach((hash, index) => found.push({ minute: first - index, counts: toCounts(hash) }));
      last = first - size;
    }
    return found.toReversed();
  }
}

function toCounts(namesAndNumbers: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (let index = 0; index < namesAndNumbers.length; index += 2)
    counts.set(namesAndNumbers[index] ?? "", Number(namesAndNumbers[index + 1]));
  return counts;
}
