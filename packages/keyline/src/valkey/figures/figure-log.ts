import type { ValkeyConnection } from "../client/connection.ts";
import { scriptsBeside } from "../client/script.ts";

const add = scriptsBeside(import.meta.url)(1, "oom", "note-hour", "figures-add");

export const minuteMs = 60_000;
export const hourMs = 3_600_000;
/** So long they are kept: two days and ninety days, and some more for who comes late. */
export const keptMinutesMs = 49 * hourMs;
export const keptHoursMs = 2_184 * hourMs;
/** So many keys are asked for at a time: each is read by a command of its own, which keeps the server for microseconds. */
const readAtOnce = 500;

export type Counts = ReadonlyMap<string, number>;

/** What was counted in one minute or hour, by the names that were given. */
export interface CountedSpan {
  /** When it began, in milliseconds since 1970. */
  readonly at: number;
  readonly counts: Counts;
  /** Of hours of a queue: how much there was, as depth-sample.lua writes it. */
  readonly depth?: string | undefined;
}

/** What is counted of one queue, stream or channel, minute by minute and hour by hour; see scripts/figures-add.lua. */
export class FigureLog {
  readonly connection: ValkeyConnection;
  /** What its keys begin with. */
  readonly prefix: string;

  constructor(connection: ValkeyConnection, prefix: string) {
    this.connection = connection;
    this.prefix = prefix;
  }

  /** Returns the server's time. */
  async add(counts: Counts): Promise<number> {
    return (await add.run(this.connection, [this.prefix, keptMinutesMs, keptHoursMs, ...[...counts].flat()])) as number;
  }

  now(): Promise<number> {
    return this.add(new Map());
  }

  /** The last minutes, the present one included, oldest first. */
  async minutes(count: number, now: number): Promise<CountedSpan[]> {
    const minutes = lastOnes(count, now, minuteMs);
    const hashes = await this.hashes(minutes.map((minute) => `${this.prefix}${minute}`));
    return minutes.map((minute, index) => toSpan(minute * minuteMs, hashes[index]));
  }

  /** The same of hours. */
  async hours(count: number, now: number): Promise<CountedSpan[]> {
    const hours = lastOnes(count, now, hourMs);
    const there = await this.#hoursThere(hours[0] ?? 0, hours.at(-1) ?? 0);
    const byHour = new Map((await this.#read(hours.filter((hour) => there.has(hour)))).map((span) => [span.at, span]));
    return hours.map((hour) => byHour.get(hour * hourMs) ?? toSpan(hour * hourMs));
  }

  /** The last hours, of which nothing is known. */
  noHours(count: number, now: number): CountedSpan[] {
    return lastOnes(count, now, hourMs).map((hour) => toSpan(hour * hourMs));
  }

  /** Those of the hours before the present one of which there is something, from `first` on. */
  async hoursOver(first: number, now: number): Promise<CountedSpan[]> {
    const last = Math.floor(now / hourMs) - 1;
    return this.#read([...(await this.#hoursThere(first, last))].toSorted((a, b) => a - b));
  }

  /** A hash of each of some keys behind the prefix. */
  async hashes(names: readonly string[]): Promise<Record<string, string>[]> {
    const found: Record<string, string>[] = [];
    for (let first = 0; first < names.length; first += readAtOnce) {
      const page = names.slice(first, first + readAtOnce).map((name) => this.connection.client.hgetall(name));
      found.push(...(await Promise.all(page)));
    }
    return found;
  }

  async #read(hours: readonly number[]): Promise<CountedSpan[]> {
    const hashes = await this.hashes(hours.map((hour) => `${this.prefix}hour:${hour}`));
    return hours.map((hour, index) => toSpan(hour * hourMs, hashes[index]));
  }

  async #hoursThere(first: number, last: number): Promise<ReadonlySet<number>> {
    if (last < first) return new Set();
    return new Set((await this.connection.client.zrangebyscore(`${this.prefix}hours`, first, last)).map(Number));
  }
}

/** The last minutes or hours, oldest first. */
function lastOnes(count: number, now: number, spanMs: number): number[] {
  const last = Math.floor(now / spanMs);
  return Array.from({ length: count }, (_, index) => last - count + 1 + index);
}

function toSpan(at: number, fields: Readonly<Record<string, string>> = {}): CountedSpan {
  const { depth, ...counts } = fields;
  return { at, counts: toCounts(counts), depth };
}

function toCounts(fields: Readonly<Record<string, string>>): Map<string, number> {
  return new Map(Object.entries(fields).map(([name, value]) => [name, Number(value)]));
}
