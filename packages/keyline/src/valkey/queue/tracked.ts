import type { ValkeyConnection } from "../client/connection.ts";
import { scriptsBeside } from "../client/script.ts";
import type { QueueKeys } from "./keys.ts";

const script = scriptsBeside(import.meta.url);
const track = script(1, "oom", "base", "place", "track");
const tracked = script(1, "base", "place", "tracked");

/** What somebody listens to: that jobs end, or all that becomes of them. */
export type TrackedKind = "ends" | "events";

/** Who listens to what becomes of the jobs of one queue: sorted set `tracked`, kind -> until when. */
export class Tracked {
  readonly #connection: ValkeyConnection;
  readonly #keys: QueueKeys;

  constructor(connection: ValkeyConnection, keys: QueueKeys) {
    this.#connection = connection;
    this.#keys = keys;
  }

  /** Somebody listens for `ms` from now on. True where nobody did before. */
  async track(kind: TrackedKind, ms: number): Promise<boolean> {
    return (await track.run(this.#connection, [this.#keys.workers, kind, ms])) === 1;
  }

  async kinds(): Promise<TrackedKind[]> {
    return (await tracked.run(this.#connection, [this.#keys.workers])) as TrackedKind[];
  }
}
