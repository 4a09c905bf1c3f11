import type { ValkeyConnection } from "../client/connection.ts";
import { scriptsBeside } from "../client/script.ts";
import type { QueueKeys } from "./keys.ts";

const script = scriptsBeside(import.meta.url);
const redrive = script(3, "redrive");

/** The dead letters that one queue has on Valkey: all of those of a plain queue. */
export class Letters {
  readonly #connection: ValkeyConnection;
  readonly #keys: QueueKeys;

  constructor(connection: ValkeyConnection, keys: QueueKeys) {
    this.#connection = connection;
    this.#keys = keys;
  }

  /** Looks at the oldest dead letters, up to `limit`, and puts those back on the queue that can be. */
  async redrive(limit: number): Promise<{ readonly looked: number; readonly moved: number }> {
    const { dead, waiting, ids } = this.#keys;
    const [looked, moved] = (await redrive.run(this.#connection, [dead, waiting, ids, limit])) as [number, number];
    return { looked, moved };
  }

  count(): Promise<number> {
    return this.#connection.client.llen(this.#keys.dead);
  }

  newest(limit: number): Promise<string[]> {
    return this.#connection.client.lrange(this.#keys.dead, 0, limit - 1);
  }
}
