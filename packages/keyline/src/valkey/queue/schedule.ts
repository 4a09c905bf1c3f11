import type { ValkeyConnection } from "../client/connection.ts";
import { scriptsBeside } from "../client/script.ts";
import type { QueueKeys } from "./keys.ts";

const script = scriptsBeside(import.meta.url);
const promote = script(1, "oom", "base", "place", "groups", "tell-end", "tell-event", "family", "cancelled", "promote");

/** The jobs of one queue that are due later. */
export class Schedule {
  readonly #connection: ValkeyConnection;
  readonly #keys: QueueKeys;

  constructor(connection: ValkeyConnection, keys: QueueKeys) {
    this.#connection = connection;
    this.#keys = keys;
  }

  /** Takes one off that is out of date. */
  async remove(element: string): Promise<void> {
    await this.#connection.client.zrem(this.#keys.scheduled, element);
  }

  /** Moves up to `limit` jobs whose time has come to the queue. Returns milliseconds until the next, -1 when there is none. */
  async promote(limit: number): Promise<number> {
    return (await promote.run(this.#connection, [this.#keys.workers, limit])) as number;
  }
}
