import { scriptsBeside } from "../client/script.ts";
import { hourMs, keptHoursMs, keptMinutesMs, minuteMs, type FigureLog } from "../figures/figure-log.ts";
import type { QueueKeys } from "./keys.ts";

const take = scriptsBeside(import.meta.url)(1, "oom", "base", "place", "count-jobs", "figures/note-hour", "depth-sample");

/** How many dead letters and parked jobs are rows. */
export interface InRows {
  readonly dead: number;
  readonly parked: number;
}

/** How many jobs a queue had, minute by minute; see scripts/depth-sample.lua. */
export class DepthSamples {
  readonly #log: FigureLog;
  readonly #keys: QueueKeys;

  constructor(log: FigureLog, keys: QueueKeys) {
    this.#log = log;
    this.#keys = keys;
  }

  /** Whether nobody has taken one in this minute yet. */
  async isMissing(): Promise<boolean> {
    return (await this.#run("", 0)).isMissing;
  }

  /** Takes one, unless somebody else has in this minute. Returns the server's time. */
  async take({ dead, parked }: InRows): Promise<number> {
    return (await this.#run(dead, parked)).now;
  }

  /** Those of some minutes, oldest first, as the script writes them. */
  async read(count: number, now: number): Promise<(string | undefined)[]> {
    const last = Math.floor(now / minuteMs);
    const first = last - count + 1;
    const firstHour = Math.floor((first * minuteMs) / hourMs);
    const hours = Array.from(
      { length: Math.floor(now / hourMs) - firstHour + 1 },
      (_, index) => `${this.#keys.rates}depth:${firstHour + index}`,
    );
    const hashes = await this.#log.hashes(hours);
    return Array.from(
      { length: count },
      (_, index) => hashes[Math.floor((first + index) / 60) - firstHour]?.[String((first + index) % 60)],
    );
  }

  async #run(dead: number | "", parked: number): Promise<{ readonly isMissing: boolean; readonly now: number }> {
    const values = [this.#keys.workers, this.#keys.held(""), keptMinutesMs, keptHoursMs, dead, parked];
    const [isMissing, now] = (await take.run(this.#log.connection, values)) as [number, number];
    return { isMissing: isMissing === 1, now };
  }
}
