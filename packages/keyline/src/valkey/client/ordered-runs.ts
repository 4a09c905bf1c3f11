import type { ValkeyConnection } from "./connection.ts";
import { isUnknownScript, type Script } from "./script.ts";

/**
 * Runs scripts that must take effect in the order of the calls. A server that was just started does not know them, and they are sent
 * again with their text: those that come meanwhile wait until all of these are through.
 */
export class OrderedRuns {
  readonly #connection: ValkeyConnection;
  readonly #underWay = new Set<Promise<unknown>>();
  #held: Promise<unknown> | undefined;

  constructor(connection: ValkeyConnection) {
    this.#connection = connection;
  }

  async run(script: Script, keysAndArguments: readonly (string | number)[]): Promise<unknown> {
    while (this.#held) await this.#held;
    const run = this.#send(script, keysAndArguments);
    this.#underWay.add(run);
    try {
      return await run;
    } finally {
      this.#underWay.delete(run);
    }
  }

  async #send(script: Script, keysAndArguments: readonly (string | number)[]): Promise<unknown> {
    try {
      return await script.runByHash(this.#connection, keysAndArguments);
    } catch (error) {
      if (!isUnknownScript(error)) throw error;
      this.#held ??= Promise.allSettled(this.#underWay).then(() => (this.#held = undefined));
      return script.runByText(this.#connection, keysAndArguments);
    }
  }
}
