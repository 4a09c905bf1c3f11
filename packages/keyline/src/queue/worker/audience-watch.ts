import { Alarm } from "../../runtime/alarm.ts";
import { toError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { Beat } from "../../valkey/queue/leases.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import type { ShiftDuty } from "../../work/shift-parts.ts";
import type { Audience } from "./audience.ts";

/**
 * The duty that knows whether somebody listens to what becomes of the queue's jobs: it asks before the first job, when a signal says that somebody begins, and when a
 * renewal of the lease shows something else than it knows.
 */
export class AudienceWatch implements ShiftDuty<unknown, Beat> {
  readonly #audience: Audience;
  readonly #store: QueueStore;
  readonly #logger: Logger;
  readonly #alarm = new Alarm(() => this.#read());
  #worker = "";

  constructor(audience: Audience, { store, logger }: { readonly store: QueueStore; readonly logger: Logger }) {
    this.#audience = audience;
    this.#store = store;
    this.#logger = logger;
  }

  start(): void {
    // It is asked to begin with the lease.
  }

  stop(): Promise<void> {
    return this.#alarm.stop();
  }

  /** A lease has begun under this name, and no job was taken yet. */
  async begin(worker: string): Promise<void> {
    this.#worker = worker;
    this.#audience.note(await this.#store.tracked.kinds(worker));
  }

  // An answer may be older than what was heard since: it is asked once more then.
  follow({ tracked = "" }: Beat): void {
    if (tracked !== this.#audience.text) this.look();
  }

  /** Somebody has begun to listen. */
  look(): void {
    this.#alarm.set(0);
  }

  async #read(): Promise<void> {
    try {
      this.#audience.note(await this.#store.tracked.kinds(this.#worker));
    } catch (error) {
      this.#logger.debug({ error: toError(error).message }, "who listens could not be read; the next renewal says so");
    }
  }
}
