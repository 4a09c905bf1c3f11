import type { ValkeyConnection } from "../client/connection.ts";
import { isNotPermitted, markRun } from "../client/run-mark.ts";
import { scriptsBeside } from "../client/script.ts";
import type { QueueKeys } from "./keys.ts";

const script = scriptsBeside(import.meta.url);
const epoch = script(1, "epoch");

/** What names the memory of the server that has one queue. */
export class Memory {
  readonly #connection: ValkeyConnection;
  readonly #keys: QueueKeys;

  /** This user may use INFO. */
  #mayAsk = true;

  constructor(connection: ValkeyConnection, keys: QueueKeys) {
    this.#connection = connection;
    this.#keys = keys;
  }

  /** The name of the server's present memory. `tag` goes into it when it needs a new one. */
  async epoch(tag: string): Promise<string> {
    if (this.#mayAsk) {
      try {
        return (await epoch.run(this.#connection, [this.#keys.epoch, tag, ""])) as string;
      } catch (error) {
        if (!isNotPermitted(error) || this.#connection.isCluster) throw error;
        this.#mayAsk = false;
      }
    }
    const run = await markRun(this.#connection, this.#keys.run);
    return (await epoch.run(this.#connection, [this.#keys.epoch, tag, run])) as string;
  }

  /** The epoch as written last, without a look at the server's run id: never newer than what is pushed right after this call. */
  writtenEpoch(): Promise<string | null> {
    return this.#connection.client.get(this.#keys.epoch);
  }
}
