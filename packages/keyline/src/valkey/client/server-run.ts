import type { ValkeyConnection } from "./connection.ts";
import { isNotPermitted, markRun } from "./run-mark.ts";

/**
 * The server process at the other end of a connection, as the scripts name it: the beginning of its run id. It spares them a look
 * into INFO. A connection belongs to one server process, so what was read on it holds until it breaks; on a cluster, whose client
 * hides when that happens, it is never known and the scripts look for themselves.
 */
export class ServerRun {
  readonly #connection: ValkeyConnection;
  readonly #key: string;
  #run = "";
  #reading: Promise<void> | undefined;
  #connects = 0;
  /** This user may use INFO. */
  #mayAsk = true;

  /** `key` is for users who may not use INFO: see run-mark.ts. */
  constructor(connection: ValkeyConnection, key: string) {
    this.#connection = connection;
    this.#key = key;
    connection.onReady(() => {
      this.#run = "";
      this.#connects++;
    });
  }

  /** How often there was a connect: what is known of the process before it is old. */
  get connects(): number {
    return this.#connects;
  }

  /** Empty while it is not known, and the scripts may look for themselves. Those who come while it is read get it in the order in which they came. */
  tag(): string | Promise<string> {
    if (this.#connection.isCluster) return "";
    if (this.#reading) return this.#reading.then(() => this.#run);
    if (this.#run !== "") return this.#run;
    this.#reading = this.#read().finally(() => (this.#reading = undefined));
    return this.#reading.then(() => this.#run);
  }

  /** The run id where it is known already; it is about to be asked for where it is not. */
  get known(): string {
    void this.tag();
    return this.#run.startsWith("=") ? "" : this.#run;
  }

  async #read(): Promise<void> {
    const connect = this.#connects;
    try {
      const run = await this.#ask();
      if (connect === this.#connects) this.#run = run;
    } catch {
      // The next script looks for itself, and the one after it asks again here.
    }
  }

  async #ask(): Promise<string> {
    if (this.#mayAsk) {
      try {
        return /run_id:(\w{8})/.exec(await this.#connection.client.info("server"))?.[1] ?? "";
      } catch (error) {
        if (!isNotPermitted(error)) throw error;
        this.#mayAsk = false;
      }
    }
    // The sign tells the scripts that they cannot look for themselves.
    return `=${(await markRun(this.#connection, this.#key)).slice(0, 8)}`;
  }
}
