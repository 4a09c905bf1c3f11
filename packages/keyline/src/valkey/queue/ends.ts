import type { ValkeyConnection } from "../client/connection.ts";
import { scriptsBeside } from "../client/script.ts";
import type { QueueKeys } from "./keys.ts";

const script = scriptsBeside(import.meta.url);
const begin = script(1, "base", "place", "ends-begin");
const tell = script(1, "base", "place", "tell-end", "ends-tell");

/** That a job has ended for good: see scripts/tell-end.lua. */
export interface End {
  /** Of the entry. */
  readonly entry: string;
  readonly id: string;
  /** The job was completed, and this is its result as JSON; empty where there is none. Undefined: look what became of it. */
  readonly value: string | undefined;
}

/** The stream of what has ended on one queue, for those who wait for it. */
export class Ends {
  readonly #connection: ValkeyConnection;
  readonly #keys: QueueKeys;

  constructor(connection: ValkeyConnection, keys: QueueKeys) {
    this.#connection = connection;
    this.#keys = keys;
  }

  get key(): string {
    return this.#keys.ends;
  }

  /** Where it ends now: its last entry. */
  async begin(): Promise<Pick<End, "entry" | "id">> {
    const [entry, id] = (await begin.run(this.#connection, [this.#keys.workers])) as [string, string];
    return { entry, id };
  }

  /** Has those who wait for the job look what became of it. */
  async tell(id: string): Promise<void> {
    await tell.run(this.#connection, [this.#keys.workers, id]);
  }

  /** From this entry on, itself included. */
  async from(entry: string, limit: number): Promise<End[]> {
    const entries = await this.#connection.client.xrange(this.#keys.ends, entry, "+", "COUNT", limit);
    return entries.map(([id, fields]) => readEnd(id, fields));
  }
}

export function readEnd(entry: string, fields: readonly string[]): End {
  return { entry, id: fields[0] ?? "", value: fields.length === 2 ? fields[1] : undefined };
}
