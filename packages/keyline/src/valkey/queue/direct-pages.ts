import type { ValkeyConnection } from "../client/connection.ts";
import type { JobFilterValues, WalkPlace } from "./cancels.ts";
import type { QueueKeys } from "./keys.ts";

/** A member of a page as it is stored, and its score where it has one. */
export interface DirectPage {
  readonly members: readonly (readonly [member: string, score: string | undefined])[];
  readonly from: number;
  /** Where the next page begins, if there is one. */
  readonly next: number | undefined;
  /** What was taken out of the middle of things by then: see scripts/look.lua. */
  readonly shifts: number;
}

/** What a script looks at it makes texts of, which costs the server five times as much as to send them: so small elements are looked at here. */
const pageSize = 500;
const mostOverlap = 16;
const mostReads = 5;

/** Reads pages of lists and sorted sets with the commands themselves, as scripts/look.lua does within scripts. */
export class DirectPages {
  readonly #connection: ValkeyConnection;
  readonly #keys: QueueKeys;

  constructor(connection: ValkeyConnection, keys: QueueKeys) {
    this.#connection = connection;
    this.#keys = keys;
  }

  /** Undefined where things were taken out again and again while it was read. */
  async read(place: string, at: WalkPlace): Promise<DirectPage | undefined> {
    const isSet = !place.startsWith("waiting");
    const begin = at.from === "" ? 0 : Number(at.from);
    let from = begin;
    for (let reads = 0; reads < mostReads; reads++) {
      // Whatever is sent together is answered in this order: what both looks say was so when the page was read.
      const [before, members, after] = await Promise.all([this.#shifts(), this.#range(place, isSet, from), this.#shifts()]);
      const shifted = Math.max(0, begin - Math.max(0, after - at.shifts));
      if (before !== after || shifted !== from) {
        from = shifted;
        continue;
      }
      if (members.length < pageSize) return { members, from, next: undefined, shifts: after };
      const again = isSet ? mostOverlap : 0;
      return { members, from, next: from + members.length - again, shifts: after };
    }
    return undefined;
  }

  async #shifts(): Promise<number> {
    return Number((await this.#connection.client.hget(this.#keys.gates, "cancels")) ?? 0);
  }

  async #range(place: string, isSet: boolean, from: number): Promise<DirectPage["members"]> {
    const { client } = this.#connection;
    const [key, last] = [this.#keys.at(place), from + pageSize - 1];
    if (!isSet) return (await client.lrange(key, from, last)).map((member) => [member, undefined] as const);
    const found = await client.zrange(key, from, last, "REV", "WITHSCORES");
    return Array.from({ length: found.length / 2 }, (_, index) => [found[2 * index] ?? "", found[2 * index + 1]] as const);
  }
}

/** Says of an element whether it fits, as `filter_from` in scripts/look.lua does; undefined for a filter that only scripts know. */
export function filterOf(values: JobFilterValues): ((element: string) => boolean) | undefined {
  const ids = new Set<string>();
  let group: string | undefined;
  for (let index = 0; index < values.length; index += 2) {
    const value = String(values[index + 1]);
    if (values[index] === "id") ids.add(value);
    else if (values[index] === "group" && group === undefined) group = `,"group":"${value}"`;
    else return undefined;
  }
  if (ids.size > 0 && group !== undefined) return undefined;
  if (ids.size > 0) return (element) => ids.has(idOf(element));
  if (group === undefined) return (element) => idOf(element) !== "";
  const text = group;
  return (element) => {
    const at = element.indexOf(text);
    return at >= 0 && at < element.indexOf(',"data":') && idOf(element) !== "";
  };
}

/** Of an element that Keyline wrote; "" of another one. */
function idOf(element: string): string {
  if (element.startsWith('{"id":"')) return readId(element, 7);
  const begin = /^\{"attempts":\d+,"id":"/.exec(element)?.[0].length;
  return begin === undefined ? "" : readId(element, begin);
}

function readId(element: string, begin: number): string {
  const end = element.indexOf('"', begin);
  return element.slice(begin, Math.max(begin, end));
}
