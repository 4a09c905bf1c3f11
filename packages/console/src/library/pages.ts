import { patiently } from "./patience.ts";

/** Lists answer sooner than a store that is away is given up, and later than a busy one takes. */
const patienceMs = 4_000;
const mostBytes = 1_048_576;

interface PageOf<Row> {
  readonly rows: Row[];
  /** The cursor of the last row, where there are more. */
  readonly next: string | null;
}

/** A page of what is iterated, which ends earlier where it would be too large. Ask for one more than `limit`. */
export async function readPage<Row extends { readonly cursor: string }>(
  all: AsyncIterableIterator<Row>,
  { limit, sizeOf = () => 0 }: { readonly limit: number; readonly sizeOf?: (row: Row) => number },
): Promise<PageOf<Row>> {
  const { rows, hasMore } = await readSome(all, { limit, sizeOf });
  return { rows, next: hasMore ? (rows.at(-1)?.cursor ?? null) : null };
}

/** The same where rows have no cursor. */
export async function readSome<Row>(
  all: AsyncIterable<Row>,
  { limit, sizeOf = () => 0 }: { readonly limit: number; readonly sizeOf?: (row: Row) => number },
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
  return patiently(read(), patienceMs);
}

/** What a payload is in bytes, roughly: to end a page in time. */
export function roughSize(value: unknown): number {
  try {
    return JSON.stringify(value)?.length ?? 0;
  } catch {
    return 0;
  }
}
