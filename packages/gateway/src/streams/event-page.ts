import type { Entry } from "keyline";
import { parseStreamPlace } from "./place.ts";
import type { GatewayStream } from "./exposures.ts";
import { entryJson } from "./follow-wire.ts";

export interface PageQuery {
  readonly from: string;
  readonly to: string;
  readonly limit: number;
  readonly reverse: boolean;
  readonly key?: string | undefined;
}

// A page may end before its limit: what is too much for one answer comes with the next.
const longestPage = 1_048_576;

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

function entriesOf(stream: GatewayStream, { limit, reverse, key, ...query }: PageQuery): AsyncIterable<Entry<unknown>> {
  const [from, to] = [parseStreamPlace("from", query.from), parseStreamPlace("to", query.to)];
  return stream.read({ from, to, limit: limit + 1, reverse, ...(key === undefined ? {} : { key }) });
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
