import type { ValkeyConnection } from "../client/connection.ts";
import { scriptsBeside } from "../client/script.ts";
import type { QueueKeys } from "./keys.ts";

/** "rows": those of a transactional queue are to be delivered; its relay finds them too, a second later. */
export type SignalKind = "due" | "gates" | "ticks" | "tracked" | "cancel" | "family" | "watched" | "rows";

const tell = scriptsBeside(import.meta.url)(1, "oom", "base", "place", "tell-signal");

/** Something that workers of the queue are to know at once. */
export interface Signal {
  readonly id: string;
  readonly kind: string;
}

const newest = 50;

/** What scripts tell all workers of one queue; see scripts/place.lua. */
export class Signals {
  readonly #connection: ValkeyConnection;
  readonly #keys: QueueKeys;

  constructor(connection: ValkeyConnection, keys: QueueKeys) {
    this.#connection = connection;
    this.#keys = keys;
  }

  /** Tells all workers of the queue, where there are any. */
  async tell(kind: SignalKind): Promise<void> {
    await tell.run(this.#connection, [this.#keys.workers, kind]);
  }

  get key(): string {
    return this.#keys.signals;
  }

  /** The newest ones, oldest first: whoever has not read for so long that some are missing looks at everything anew. */
  async read(): Promise<Signal[]> {
    const entries = await this.#connection.client.xrevrange(this.#keys.signals, "+", "-", "COUNT", newest);
    return entries.toReversed().map(([id, fields]) => ({ id, kind: fields[fields.indexOf("kind") + 1] ?? "" }));
  }
}
