import type { ValkeyConnection } from "../client/connection.ts";
import { scriptsBeside } from "../client/script.ts";
import type { QueueKeys } from "./keys.ts";

const script = scriptsBeside(import.meta.url);
const promote = script(1, "oom", "base", "place", "lines", "groups", "tell-end", "tell-event", "family", "cancelled", "promote");
const hasten = script(1, "base", "place", "hasten");

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

  /** Makes jobs due now whose elements are there. */
  async hasten(elements: readonly string[]): Promise<void> {
    await hasten.run(this.#connection, [this.#keys.workers, ...elements]);
  }

  /** Lets one caller at a time look through all of it: true for the first one, and for nobody within `ms` from then on. */
  async mayLook(ms: number): Promise<boolean> {
    return (await this.#connection.client.set(this.#keys.swept, "1", "PX", ms, "NX")) === "OK";
  }

  /** Nobody is to look through it for so long. */
  async rest(ms: number): Promise<void> {
    await this.#connection.client.set(this.#keys.swept, "1", "PX", ms);
  }
}
