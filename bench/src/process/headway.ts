/*
 * How far a process has come. Whoever waits for something that can be counted says so while it waits; the counts are looked at once a second, so
 * that nothing is paid where they are raised. The bench ends a contender none of whose counts has moved for half a minute (watchdog.ts).
 */
import { setTimeout as pause } from "node:timers/promises";

/** A count that is waited for. */
interface Gauge {
  /** Behind the numbers: "12 of 100 jobs were delivered". */
  readonly what: string;
  /** Undefined where nobody knows how many there will be. */
  readonly of?: number;
  readonly done: () => number;
  /** What else a reader has to know if it goes no further. */
  readonly remark?: () => string | undefined;
}

/** A gauge as it was read. */
export interface Count {
  readonly what: string;
  readonly done: number;
  readonly of?: number;
  readonly remark?: string;
}

const gauges = new Set<Gauge>();

/** Does `work` while its gauge can be read. */
export async function during<Result>(gauge: Gauge, work: () => Promise<Result>): Promise<Result> {
  gauges.add(gauge);
  try {
    return await work();
  } finally {
    gauges.delete(gauge);
  }
}

/** Calls `step` for every number below `times`, one after the other. */
export async function oneByOne(times: number, what: string, step: (index: number) => Promise<unknown>): Promise<void> {
  let done = 0;
  await during({ what, of: times, done: () => done }, async () => {
    for (; done < times; done++) await step(done);
  });
}

/** Waits on purpose, for however long: time that passes is headway, too. */
export async function rest(ms: number): Promise<void> {
  const start = performance.now();
  await during({ what: "ms of rest are over", of: ms, done: () => Math.round(performance.now() - start) }, () => pause(ms));
}

/** All counts that are waited for now. */
export function readHeadway(): Count[] {
  return [...gauges].map(({ what, of, done, remark }) => {
    const note = remark?.();
    return { what, done: done(), ...(of !== undefined && { of }), ...(note !== undefined && { remark: note }) };
  });
}
