import { Alarm } from "../runtime/alarm.ts";
import { toError } from "../runtime/errors.ts";
import type { Logger } from "../runtime/logger.ts";
import type { Counts } from "../valkey/figures/figure-log.ts";
import type { Figures } from "./figures.ts";

const writeEveryMs = 5_000;

/** Writes down every few seconds what a tally has counted. What it has not written is lost with the process. */
export class Flusher {
  readonly #figures: Figures;
  readonly #logger: Logger;
  readonly #take: () => Counts;
  readonly #alarm = new Alarm(() => this.#write(), { mayEnd: true });
  #isDirty = false;

  /** `take` gives what was counted since it was called last. */
  constructor(figures: Figures, { take, logger }: { readonly take: () => Counts; readonly logger: Logger }) {
    this.#figures = figures;
    this.#take = take;
    this.#logger = logger;
  }

  /** Something was counted. */
  touch(): void {
    if (this.#isDirty) return;
    this.#isDirty = true;
    this.#alarm.set(writeEveryMs);
  }

  /** Writes what there is. */
  async stop(): Promise<void> {
    await this.#alarm.stop();
    await this.#write();
    await this.#figures.stop();
  }

  async #write(): Promise<void> {
    if (!this.#isDirty) return;
    // What could not be written goes with the next.
    if (!this.#figures.isReady) return this.#alarm.set(writeEveryMs);
    this.#isDirty = false;
    const counts = this.#take();
    if (counts.size === 0) return;
    try {
      await this.#figures.add(counts);
    } catch (error) {
      this.#logger.debug({ error: toError(error).message }, "figures could not be written");
    }
  }
}
