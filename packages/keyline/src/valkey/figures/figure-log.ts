import type { ValkeyConnection } from "../client/connection.ts";
import { scriptsBeside } from "../client/script.ts";

const add = scriptsBeside(import.meta.url)(1, "figures-add");

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
  minutes(count: number, now: number): Promise<CountedSpan[]> {
    return this.#read(count, now, { spanMs: minuteMs, keyOf: (minute) => `${this.prefix}${minute}` });
  }

  /** The same of hours. */
  hours(count: number, now: number): Promise<CountedSpan[]> {
    return this.#read(count, now, { spanMs: hourMs, keyOf: (hour) => `${this.prefix}hour:${hour}` });
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

  async #read(
    count: number,
    now: number,
    { spanMs, keyOf }: { readonly spanMs: number; readonly keyOf: (span: number) => string },
  ): Promise<CountedSpan[]> {
    const last = Math.floor(now / spanMs);
    const spans = Array.from({ length: count }, (_, index) => last - count + 1 + index);
    const hashes = await this.hashes(spans.map(keyOf));
    return spans.map((span, index) => {
      const { depth, ...counts } = hashes[index] ?? {};
      return { at: span * spanMs, counts: toCounts(counts), depth };
    });
  }
}

function toCounts(fields: Readonly<Record<string, string>>): Map<string, number> {
  return new Map(Object.entries(fields).map(([name, value]) => [name, Number(value)]));
}
