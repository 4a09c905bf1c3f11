import type { ValkeyConnection } from "./connection.ts";

/**
 * The server process at the other end of a connection, as the scripts name it: the beginning of its run id. It spares them a look
 * into INFO. A connection belongs to one server process, so what was read on it holds until it breaks; on a cluster, whose client
 * hides when that happens, it is never known and the scripts look for themselves.
 */
export class ServerRun {
  readonly #connection: ValkeyConnection;
  #run = "";
  #isReading = false;
  #connects = 0;

  constructor(connection: ValkeyConnection) {
    this.#connection = connection;
    connection.onReady(() => {
      this.#run = "";
      this.#connects++;
    });
  }

  /** How often there was a connect: what is known of the process before it is old. */
  get connects(): number {
    return this.#connects;
  }

  /** Empty while it is not known. */
  get tag(): string {
    if (this.#run === "" && !this.#isReading && !this.#connection.isCluster) void this.#read();
    return this.#run;
  }

  async #read(): Promise<void> {
    this.#isReading = true;
    const connect = this.#connects;
    try {
      const info = await this.#connection.client.info("server");
      if (connect === this.#connects) this.#run = /run_id:(\w{8})/.exec(info)?.[1] ?? "";
    } catch {
      // The next script looks for itself, and the one after it asks again here.
    } finally {
      this.#isReading = false;
    }
  }
}
