import { toError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { DeadTable } from "../../postgres/job/dead-table.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";

interface SamplerParts {
  /** Only of a transactional queue. */
  readonly deadTable: DeadTable | undefined;
  /** What time it is for the server. */
  readonly noteTime: (now: number) => void;
  readonly logger: Logger;
}

/**
 * Looks once a minute how many jobs a queue has, and for how long the next one has waited: what is counted of jobs that have ended falls silent just when a queue stands still. Of all processes that
 * add or work the first one's look counts.
 */
export class DepthSampler {
  readonly #store: QueueStore;
  readonly #parts: SamplerParts;
  #minute = 0;
  #looking: Promise<void> | undefined;

  constructor(store: QueueStore, parts: SamplerParts) {
    this.#store = store;
    this.#parts = parts;
  }

  look(): void {
    const minute = Math.floor(Date.now() / 60_000);
    if (minute === this.#minute || !this.#store.connection.isReady) return;
    this.#minute = minute;
    this.#looking ??= this.#take()
      .catch((error: unknown) =>
        this.#parts.logger.debug({ error: toError(error).message }, "how many jobs a queue has could not be noted"),
      )
      .finally(() => (this.#looking = undefined));
  }

  async stop(): Promise<void> {
    await this.#looking;
  }

  async #take(): Promise<void> {
    const { depthSamples } = this.#store;
    const { deadTable } = this.#parts;
    if (deadTable && !(await depthSamples.isMissing())) return;
    const inRows = (await deadTable?.counts()) ?? { dead: 0, parked: 0 };
    this.#parts.noteTime(await depthSamples.take(inRows));
  }
}
