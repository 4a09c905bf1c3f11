import { Alarm } from "../runtime/alarm.ts";
import { toError } from "../runtime/errors.ts";
import type { Logger } from "../runtime/logger.ts";
import type { FigureTable } from "../postgres/figures/figure-table.ts";
import { hourMs, keptHoursMs, type FigureLog } from "../valkey/figures/figure-log.ts";

/** Others write down what they counted within seconds; and not all processes are to look at the same moment. */
const firstMs = 15_000;
const spreadMs = 30_000;

/** The duty that keeps hours in PostgreSQL when they are over. Each process that counts has one, and who comes first does it. */
export class HourKeeper {
  readonly #log: FigureLog;
  readonly #table: FigureTable;
  readonly #logger: Logger;
  readonly #alarm = new Alarm(() => this.#tryToKeep(), { mayEnd: true });
  /** All before this one are kept. */
  #keptBefore = 0;
  #now = 0;

  constructor(log: FigureLog, table: FigureTable, logger: Logger) {
    this.#log = log;
    this.#table = table;
    this.#logger = logger;
  }

  note(now: number): void {
    this.#now = now;
    if (Math.floor(now / hourMs) > this.#keptBefore) this.#alarm.set(firstMs + Math.random() * spreadMs);
  }

  stop(): Promise<void> {
    return this.#alarm.stop();
  }

  /** Keeps the hours that are over at that time. */
  async keep(now: number): Promise<void> {
    const present = Math.floor(now / hourMs);
    const first = Math.max(((await this.#table.newest()) ?? 0) + 1, present - keptHoursMs / hourMs);
    const over = (await this.#log.hoursOver(first, now)).map(({ at, counts, depth }) => ({ hour: at / hourMs, counts, depth }));
    if (over.length > 0) await this.#table.keep(over, present - keptHoursMs / hourMs);
    this.#keptBefore = present;
  }

  async #tryToKeep(): Promise<void> {
    if (!this.#table.database.isAvailable || !this.#log.connection.isReady) return;
    try {
      await this.keep(this.#now);
    } catch (error) {
      this.#logger.debug({ error: toError(error).message }, "the figures of hours that are over could not be kept yet");
    }
  }
}
