import type { ValkeyConnection } from "../client/connection.ts";
import { scriptsBeside } from "../client/script.ts";
import type { QueueKeys } from "./keys.ts";

const script = scriptsBeside(import.meta.url);
const track = script(1, "oom", "base", "place", "tell-event", "track");
const ready = script(1, "oom", "base", "place", "track-ready");
const tracked = script(1, "oom", "base", "place", "tracked");

/** What somebody listens to: that jobs end, or all that becomes of them. */
export type TrackedKind = "ends" | "events";

/** Who listens to what becomes of the jobs of one queue: see scripts/track.lua. */
export class Tracked {
  readonly #connection: ValkeyConnection;
  readonly #keys: QueueKeys;

  constructor(connection: ValkeyConnection, keys: QueueKeys) {
    this.#connection = connection;
    this.#keys = keys;
  }

  /** Somebody listens for `ms` from now on. False where not all workers may know that yet. */
  async track(kind: TrackedKind, ms: number): Promise<boolean> {
    return (await track.run(this.#connection, [this.#keys.workers, kind, ms])) === 0;
  }

  /** Whether all workers know that somebody follows; what becomes of jobs is told from then on. `isForced`: whoever does not answer counts as gone. */
  async ready(isForced: boolean): Promise<boolean> {
    return (await ready.run(this.#connection, [this.#keys.workers, isForced ? 1 : 0])) === 1;
  }

  /** Who listens; `worker` knows it then. */
  async kinds(worker = ""): Promise<TrackedKind[]> {
    return (await tracked.run(this.#connection, [this.#keys.workers, worker])) as TrackedKind[];
  }
}
