import { Alarm } from "../../runtime/alarm.ts";
import { toError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import type { TrackedKind } from "../../valkey/queue/tracked.ts";

// A listener that dies costs the queue's workers their notices for as long as this.
const trackedMs = 30_000;
const renewMs = 10_000;
const againMs = 500;

/** Says to workers and adders, for as long as somebody of this process listens, that what becomes of jobs is to be told. */
export class Tracker {
  readonly #store: QueueStore;
  readonly #logger: Logger;
  readonly #listeners = new Map<TrackedKind, number>();
  readonly #alarm = new Alarm(() => this.#renew(), { mayEnd: true });
  #stopListening: (() => void) | undefined;

  constructor(store: QueueStore, logger: Logger) {
    this.#store = store;
    this.#logger = logger;
  }

  /** Until the returned function is called. */
  track(kind: TrackedKind): () => void {
    const count = this.#listeners.get(kind) ?? 0;
    this.#listeners.set(kind, count + 1);
    // What was lost with a server is said again.
    this.#stopListening ??= this.#store.connection.onReady(() => this.#alarm.set(0));
    if (count === 0) this.#alarm.set(0);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#listeners.set(kind, (this.#listeners.get(kind) ?? 1) - 1);
    };
  }

  stop(): Promise<void> {
    this.#listeners.clear();
    this.#stopListening?.();
    return this.#alarm.stop();
  }

  async #renew(): Promise<void> {
    const kinds = [...this.#listeners].flatMap(([kind, count]) => (count > 0 ? [kind] : []));
    if (kinds.length === 0) return;
    try {
      for (const kind of kinds) await this.#store.tracked.track(kind, trackedMs);
      this.#alarm.set(renewMs);
    } catch (error) {
      this.#logger.debug({ error: toError(error).message }, "it could not be said that somebody listens; it is tried again");
      this.#alarm.set(againMs);
    }
  }
}
