import { patiently, type Outages } from "./patience.ts";

/** Lists answer sooner than a store that is away is given up, and later than a busy one takes. */
const patienceMs = 4_000;
const mostBytes = 1_048_576;
const mostLooked = 1_000;

interface PageOf<Row> {
  readonly rows: Row[];
  /** The cursor of the last row, where there are more. */
  readonly next: string | null;
}

interface PageSize<Row> {
  readonly limit: number;
  readonly sizeOf?: (row: Row) => number;
  /** For how long it is waited for. */
  readonly withinMs?: number;
}

/** A page of what is iterated, which ends earlier where it would be too large. Ask for one more than `limit`. */
export async function readPage<Row extends { readonly cursor: string }>(
  outages: Outages,
  all: AsyncIterableIterator<Row>,
  page: PageSize<Row>,
): Promise<PageOf<Row>> {
  const { rows, hasMore } = await readSome(outages, all, page);
  return { rows, next: hasMore ? (rows.at(-1)?.cursor ?? null) : null };
}

/** The same where rows have no cursor. */
export async function readSome<Row>(
  outages: Outages,
  all: AsyncIterable<Row>,
  { limit, sizeOf = () => 0, withinMs = patienceMs }: PageSize<Row>,
): Promise<{ readonly rows: Row[]; readonly hasMore: boolean }> {
  const read = async (): Promise<{ readonly rows: Row[]; readonly hasMore: boolean }> => {
    const rows: Row[] = [];
    let bytes = 0;
    for await (const row of all) {
      if (rows.length === limit) return { rows, hasMore: true };
      bytes += sizeOf(row);
      if (rows.length > 0 && bytes > mostBytes) return { rows, hasMore: true };
      rows.push(row);
    }
    return { rows, hasMore: false };
  };
  return patiently(outages, read(), withinMs);
}

/** The same of those rows that fit. It looks at so many at the most: where few fit a page has fewer rows, and the next one goes on behind what was looked at. */
export async function readMatching<Row extends { readonly cursor: string }>(
  outages: Outages,
  all: AsyncIterable<Row>,
  { limit, fits }: { readonly limit: number; readonly fits: (row: Row) => boolean },
): Promise<PageOf<Row>> {
  const read = async (): Promise<PageOf<Row>> => {
    const rows: Row[] = [];
    let looked = 0;
    let last: string | null = null;
    for await (const row of all) {
      if (rows.length === limit || looked === mostLooked) return { rows, next: last };
      looked++;
      last = row.cursor;
      if (fits(row)) rows.push(row);
    }
    return { rows, next: null };
  };
  return patiently(outages, read(), patienceMs);
}

/** What a payload is in bytes, roughly: to end a page in time. */
export function roughSize(value: unknown): number {
  try {
    return JSON.stringify(value)?.length ?? 0;
  } catch {
    return 0;
  }
}
