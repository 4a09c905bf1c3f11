import type { Entry } from "keyline";
import { parseStreamPlace } from "./place.ts";
import type { GatewayStream } from "./doors.ts";
import { entryJson } from "./follow-wire.ts";

export interface PageQuery {
  readonly from: string;
  readonly to: string;
  readonly limit: number;
  readonly reverse: boolean;
  readonly key?: string | undefined;
}

// A page may end before its limit: what is too much for one answer comes with the next.
const longestPage = 4_194_304;
// Keyline reads the entries of a key all at once.
const mostOfKey = 10_000;

/**
 * A page as JSON: `entries`, and in `next` the id of the first entry behind them, or null. Entries that are no JSON are left out, as those are
 * that the stream's schema rejects. Throws INVALID_ID, and INVALID_OPTION for a key where entries have none.
 */
export async function readPage(stream: GatewayStream, query: PageQuery): Promise<string> {
  const texts: string[] = [];
  let length = 0;
  for await (const entry of entriesOf(stream, query)) {
    if (texts.length === query.limit || length > longestPage) return pageOf(texts, entry.id);
    const text = textOf(entry);
    if (text === undefined) continue;
    texts.push(text);
    length += text.length;
  }
  return pageOf(texts, null);
}

function entriesOf(stream: GatewayStream, query: PageQuery): AsyncIterable<Entry<unknown>> {
  const { limit, reverse, key } = query;
  const [from, to] = [parseStreamPlace("from", query.from), parseStreamPlace("to", query.to)];
  if (key === undefined) return stream.read({ from, to, limit: limit + 1, reverse });
  return historyOf(stream, { ...query, key, from, to });
}

async function* historyOf(
  stream: GatewayStream,
  { key, from, to, limit, reverse }: PageQuery & { readonly key: string },
): AsyncGenerator<Entry<unknown>> {
  const isNewestOnly = reverse && to === "+";
  const entries = await stream.history(key, { limit: isNewestOnly ? limit + 1 : mostOfKey, reverse });
  const isWithin = within(from, to);
  for (const entry of entries) if (isWithin(entry.id)) yield entry;
}

function within(from: string, to: string): (id: string) => boolean {
  const [first, last] = [boundOf(from, 0n), boundOf(to, 2n ** 64n - 1n)];
  return (id) => {
    const place = boundOf(id, 0n);
    return place >= first && place <= last;
  };
}

/** A place as one number: the milliseconds, and behind them the number within, or `number` where the place is a whole millisecond. */
function boundOf(place: string, number: bigint): bigint {
  if (place === "-") return 0n;
  if (place === "+") return 2n ** 128n;
  const [ms = "0", own] = place.split("-");
  return (BigInt(ms) << 64n) + (own === undefined ? number : BigInt(own));
}

function textOf(entry: Entry<unknown>): string | undefined {
  try {
    return `{${entryJson(entry)}}`;
  } catch {
    return undefined;
  }
}

function pageOf(texts: readonly string[], next: string | null): string {
  return `{"entries":[${texts.join(",")}],"next":${JSON.stringify(next)}}`;
}
