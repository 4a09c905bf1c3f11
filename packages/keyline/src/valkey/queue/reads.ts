import type { ValkeyConnection } from "../client/connection.ts";
import { scriptsBeside } from "../client/script.ts";
import type { QueueKeys } from "./keys.ts";

const script = scriptsBeside(import.meta.url);
const counts = script(4, "base", "counts");
const census = script(1, "census");

const groupsPage = 500;

export interface QueueCounts {
  readonly waiting: number;
  readonly running: number;
  readonly scheduled: number;
  readonly dead: number;
  /** Jobs whose group is at its limit or paused. */
  readonly blocked: number;
  /** Whether the queue is paused. */
  readonly paused: boolean;
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
    const reply = (await counts.run(this.#connection, [workers, waiting, scheduled, dead, this.#keys.held("")])) as [
      number,
      number,
      number,
      number,
      number,
      number,
      string,
    ];
    return {
      waiting: reply[0],
      running: reply[1],
      scheduled: reply[2],
      dead: reply[3],
      blocked: reply[4],
      paused: reply[5] === 1,
      first: reply[6],
    };
  }

  /** The groups that have jobs on the queue or in their lines. One that comes or goes meanwhile may be met or not. */
  async *groups(): AsyncGenerator<string> {
    for (let cursor = "0"; ;) {
      const [next, found] = await this.#connection.client.hscan(this.#keys.groups, cursor, "COUNT", groupsPage);
      for (let index = 0; index < found.length; index += 2) yield found[index] ?? "";
      if (next === "0") return;
      cursor = next;
    }
  }

  /** A page of `key` (waiting, scheduled or a held list): how many elements it has, and the ids of those that Keyline wrote. */
  async census(key: string, first: number, size: number): Promise<{ readonly length: number; readonly ids: readonly string[] }> {
    const [length, ...ids] = (await census.run(this.#connection, [key, first, first + size - 1])) as [number, ...string[]];
    return { length, ids };
  }
}
