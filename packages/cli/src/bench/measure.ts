/** What was measured: how many a second, or how long one took. */
export interface Measure {
  readonly measure: string;
  readonly count: number;
  readonly perSecond: number | undefined;
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
}

/** How long a call takes, one after the other, for so long or until it is stopped. */
export async function timeEach(measure: string, seconds: number, call: () => Promise<unknown>): Promise<Measure> {
  const took: number[] = [];
  const end = performance.now() + seconds * 1_000;
  do {
    const began = performance.now();
    await call();
    took.push(performance.now() - began);
  } while (performance.now() < end);
  return spread(measure, took);
}

/** How many calls end in a second, with so many under way. */
export async function countCalls(
  measure: string,
  { seconds, inFlight, each = 1 }: { readonly seconds: number; readonly inFlight: number; readonly each?: number },
  call: () => Promise<unknown>,
): Promise<Measure> {
  const began = performance.now();
  const end = began + seconds * 1_000;
  let calls = 0;
  const lane = async (): Promise<void> => {
    do {
      await call();
      calls++;
    } while (performance.now() < end);
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  return rate(measure, calls * each, performance.now() - began);
}

export function rate(measure: string, count: number, tookMs: number): Measure {
  return { measure, count, perSecond: Math.round((count * 1_000) / tookMs), p50Ms: undefined, p99Ms: undefined };
}

export function spread(measure: string, took: readonly number[]): Measure {
  const sorted = took.toSorted((one, other) => one - other);
  const at = (share: number): number | undefined => {
    const ms = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
    return ms === undefined ? undefined : Math.round(ms * 1_000) / 1_000;
  };
  return { measure, count: sorted.length, perSecond: undefined, p50Ms: at(0.5), p99Ms: at(0.99) };
}
