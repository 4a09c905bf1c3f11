import type { ValkeyConnection } from "../client/connection.ts";
import { scriptsBeside } from "../client/script.ts";
import type { QueueKeys } from "./keys.ts";

const script = scriptsBeside(import.meta.url);
const counts = script(4, "counts");
const census = script(1, "census");

export interface QueueCounts {
  readonly waiting: number;
  readonly running: number;
  readonly scheduled: number;
  readonly dead: number;
}

/** What can be read of one queue. */
export class Reads {
  readonly #connection: ValkeyConnection;
  readonly #keys: QueueKeys;

  constructor(connection: ValkeyConnection, keys: QueueKeys) {
    this.#connection = connection;
    this.#keys = keys;
  }

  /** The counts, and the beginning of the element that is taken next. */
  async counts(): Promise<QueueCounts & { readonly first: string }> {
    const { waiting, workers, scheduled, dead } = this.#keys;
    const reply = (await counts.run(this.#connection, [waiting, workers, scheduled, dead, this.#keys.held("")])) as [
      number,
      number,
      number,
      number,
      string,
    ];
    return { waiting: reply[0], running: reply[1], scheduled: reply[2], dead: reply[3], first: reply[4] };
  }

  /** A page of `key` (waiting, scheduled or a held list): how many elements it has, and the ids of those that Keyline wrote. */
  async census(key: string, first: number, size: number): Promise<{ readonly length: number; readonly ids: readonly string[] }> {
    const [length, ...ids] = (await census.run(this.#connection, [key, first, first + size - 1])) as [number, ...string[]];
    return { length, ids };
  }
}
