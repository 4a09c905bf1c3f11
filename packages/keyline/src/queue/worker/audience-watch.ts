import { Alarm } from "../../runtime/alarm.ts";
import { toError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { Beat } from "../../valkey/queue/leases.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import type { TrackedKind } from "../../valkey/queue/tracked.ts";
import type { ShiftDuty } from "../../work/shift-parts.ts";
import type { Audience } from "./audience.ts";

/** The duty that knows whether somebody listens to what becomes of the queue's jobs: by a signal when that begins, and by each renewal of the lease. */
export class AudienceWatch implements ShiftDuty<unknown, Beat> {
  readonly #audience: Audience;
  readonly #store: QueueStore;
  readonly #logger: Logger;
  readonly #alarm = new Alarm(() => this.#read());

  constructor(audience: Audience, { store, logger }: { readonly store: QueueStore; readonly logger: Logger }) {
    this.#audience = audience;
    this.#store = store;
    this.#logger = logger;
  }

  start(): void {
    // It is told, and the first renewal says it too.
  }

  stop(): Promise<void> {
    return this.#alarm.stop();
  }

  noteBegun(): void {
    this.look();
  }

  follow({ tracked = "" }: Beat): void {
    this.#audience.note(tracked.split(" ") as TrackedKind[]);
  }

  /** Somebody has begun to listen. */
  look(): void {
    this.#alarm.set(0);
  }

  async #read(): Promise<void> {
    try {
      this.#audience.note(await this.#store.tracked.kinds());
    } catch (error) {
      this.#logger.debug({ error: toError(error).message }, "who listens could not be read; the next renewal says so");
    }
  }
}
