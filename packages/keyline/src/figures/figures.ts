/*
 * DESIGN. What is done on a queue, a stream or a channel is counted where it is done, in numbers of the process (a tally), and every few seconds added to what Valkey has of this minute and of this
 * hour: one command for each that was used. Minutes are kept for two days and hours for ninety, by expiry. With PostgreSQL the hours that are over are kept there too, by whoever counts first
 * after their end; they are read where Valkey has nothing of an hour, because it was emptied, and while it is away. What a process has not written when it dies is lost.
 */
import { checkInteger, checkOptionNames } from "../runtime/options.ts";
import { KeylineError } from "../runtime/errors.ts";
import type { Logger } from "../runtime/logger.ts";
import type { FigureTable } from "../postgres/figures/figure-table.ts";
import { hourMs, type CountedSpan, type Counts, type FigureLog } from "../valkey/figures/figure-log.ts";
import { unlessAway } from "../valkey/client/unless-away.ts";
import { HourKeeper } from "./hour-keeper.ts";

export interface RatesOptions {
  /** How many minutes, the present one included; up to 2,880. Default 60, unless `hours` is given. */
  readonly minutes?: number;
  /** How many hours instead, the present one included; up to 2,160. */
  readonly hours?: number;
}

export interface RateRange {
  readonly unit: "minutes" | "hours";
  readonly count: number;
}

const names = new Set<string>(["minutes", "hours"] satisfies (keyof RatesOptions)[]);

/** Throws INVALID_OPTION. */
export function checkRates(options: RatesOptions): RateRange {
  checkOptionNames("rates", options, names);
  const { minutes, hours } = options;
  if (minutes !== undefined && hours !== undefined) throw new KeylineError("INVALID_OPTION", "rates takes minutes or hours, not both");
  if (hours !== undefined) return { unit: "hours", count: checkInteger("hours", hours, { min: 1, max: 2_160 }) };
  return { unit: "minutes", count: checkInteger("minutes", minutes ?? 60, { min: 1, max: 2_880 }) };
}

/** What is counted of one queue, stream or channel, in both stores. */
export class Figures {
  readonly log: FigureLog;
  readonly #table: FigureTable | undefined;
  readonly #keeper: HourKeeper | undefined;

  constructor(log: FigureLog, { table, logger }: { readonly table: FigureTable | undefined; readonly logger: Logger }) {
    this.log = log;
    this.#table = table;
    this.#keeper = table && new HourKeeper(log, table, logger);
  }

  get isReady(): boolean {
    return this.log.connection.isReady;
  }

  async add(counts: Counts): Promise<void> {
    this.noteTime(await this.log.add(counts));
  }

  /** What time it is for the server: hours may be over. */
  noteTime(now: number): void {
    this.#keeper?.note(now);
  }

  /** Oldest first; the last one is not over yet. While Valkey is away, hours are those that PostgreSQL keeps. */
  async read({ unit, count }: RateRange): Promise<readonly CountedSpan[]> {
    const ask = async (): Promise<Seen> => {
      const now = await this.log.now();
      return { now, spans: unit === "minutes" ? await this.log.minutes(count, now) : await this.log.hours(count, now) };
    };
    if (unit === "minutes" || !this.#table?.database.isAvailable) {
      await this.log.connection.ensureReady(5_000);
      return (await ask()).spans;
    }
    const seen = await unlessAway(this.log.connection, ask);
    if (seen?.spans.every(isThere)) return seen.spans;
    // The server's time is not known where it does not answer, and this one will do for hours.
    const { now, spans: hours } = seen ?? { now: Date.now(), spans: this.log.noHours(count, Date.now()) };
    const last = Math.floor(now / hourMs) - 1;
    const kept = await this.#table.read(last - count + 2, last).catch((error: unknown) => {
      if (seen) return noneIfAway(error);
      throw error;
    });
    const byHour = new Map(kept.map((one) => [one.hour, one]));
    return hours.map((hour) => (isThere(hour) ? hour : { ...hour, ...byHour.get(hour.at / hourMs) }));
  }

  async stop(): Promise<void> {
    await this.#keeper?.stop();
  }
}

interface Seen {
  readonly now: number;
  readonly spans: readonly CountedSpan[];
}

const isThere = ({ counts, depth }: CountedSpan): boolean => counts.size > 0 || depth !== undefined;

/** Valkey has most hours by itself: it is not to wait for a database that is away, stalls, or has no table for them yet. */
function noneIfAway(error: unknown): never[] {
  if (error instanceof KeylineError && (error.code === "NOT_MIGRATED" || error.code.startsWith("POSTGRES_"))) return [];
  throw error;
}
