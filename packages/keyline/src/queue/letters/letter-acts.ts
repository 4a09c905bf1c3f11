import type { LetterActOptions, LetterQuery } from "./letter-filter.ts";
import type { LetterShelf } from "./letter-shelf.ts";
import { LetterWalk } from "./letter-walk.ts";

export interface LetterAct {
  readonly kind: "redrive" | "discard";
  readonly query: LetterQuery;
  readonly options: Pick<LetterActOptions, "all" | "dryRun" | "onProgress" | "signal">;
}

/**
 * Redrives or discards the letters that fit, oldest first and page by page, and returns how many. Only those that are there when it begins: one that dies
 * again meanwhile has a later place. A dry run only counts them.
 */
export async function actOnLetters(shelves: readonly LetterShelf[], { kind, query, options }: LetterAct): Promise<number> {
  const { dryRun = false, onProgress, signal } = options;
  const total = options.all ? await countAll(shelves, query.limit) : undefined;
  const ends = await Promise.all(shelves.map((shelf) => shelf.newestPlace()));
  let done = 0;
  for (const [index, shelf] of shelves.entries()) {
    const walk = new LetterWalk(shelf, { ...query, last: Math.min(query.last, ends[index] ?? 0) }, { order: "oldest" });
    while (done < query.limit) {
      signal?.throwIfAborted();
      const heads = await walk.next();
      if (!heads) break;
      // Some may have to stay, and others take their places.
      for (let from = 0; from < heads.length && done < query.limit;) {
        const wanted = heads.slice(from, from + query.limit - done);
        from += wanted.length;
        done += dryRun ? wanted.length : await shelf[kind](wanted);
      }
      await onProgress?.({ done, total });
    }
  }
  return done;
}

async function countAll(shelves: readonly LetterShelf[], limit: number): Promise<number> {
  const counts = await Promise.all(shelves.map((shelf) => shelf.count()));
  return Math.min(
    counts.reduce((sum, count) => sum + count, 0),
    limit,
  );
}
