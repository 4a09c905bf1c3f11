import { during } from "../process/headway.ts";

/** A run of job numbers: `from` included, `to` not. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** Calls `add` for every number of the range, `inFlight` of them unanswered at any time: so many callers, none of whom waits for another. */
export async function keepInFlight(range: Range, inFlight: number, add: (seq: number) => Promise<unknown>): Promise<void> {
  let next = range.from;
  const caller = async (): Promise<void> => {
    while (next < range.to) await add(next++);
  };
  const begun = (): number => next - range.from;
  await during({ what: "calls have begun", of: range.to - range.from, done: begun }, async () => {
    await Promise.all(Array.from({ length: Math.min(inFlight, range.to - range.from) }, caller));
  });
}

/** Calls `addMany` with at most `size` numbers at a time, one call after the other. */
export async function inChunks(range: Range, size: number, addMany: (sequence: readonly number[]) => Promise<unknown>): Promise<void> {
  let from = range.from;
  await during({ what: "were added", of: range.to - range.from, done: () => from - range.from }, async () => {
    for (; from < range.to; from += size) {
      await addMany(Array.from({ length: Math.min(size, range.to - from) }, (_, index) => from + index));
    }
  });
}

/** Calls `open` for every index below `count`, 100 of them at a time: no more than a server's backlog of new connections holds. */
export async function inWaves(count: number, open: (index: number) => Promise<void>): Promise<void> {
  await keepInFlight({ from: 0, to: count }, 100, open);
}
