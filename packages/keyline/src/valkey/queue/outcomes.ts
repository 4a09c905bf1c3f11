import type { ValkeyConnection } from "../client/connection.ts";
import { scriptsBeside } from "../client/script.ts";
import type { QueueKeys } from "./keys.ts";

const outcomes = scriptsBeside(import.meta.url)(1, "base", "outcomes");

/** What Valkey remembers of jobs of one queue that have ended. */
export class Outcomes {
  readonly #connection: ValkeyConnection;
  readonly #keys: QueueKeys;

  constructor(connection: ValkeyConnection, keys: QueueKeys) {
    this.#connection = connection;
    this.#keys = keys;
  }

  /** For each id as outcomes.lua says it. */
  async find(ids: readonly string[]): Promise<string[]> {
    return (await outcomes.run(this.#connection, [this.#keys.workers, ...ids])) as string[];
  }
}
