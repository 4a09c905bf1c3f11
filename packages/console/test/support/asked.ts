import type { Stage } from "../../../keyline/test/support/stage.ts";

const slowUs = 1_000;
const mostTries = 20;

type Entry = [id: number, at: number, micros: number, words: string[]];

/** How often the server was asked which command meanwhile. */
export async function asked({ valkey }: Stage, look: () => Promise<unknown>): Promise<ReadonlyMap<string, number>> {
  await valkey.config("RESETSTAT");
  await look();
  const stats = await valkey.info("commandstats");
  return new Map([...stats.matchAll(/cmdstat_([^:]+):calls=(\d+)/g)].map(([, name = "", calls]) => [name, Number(calls)]));
}

/**
 * Which commands took longer than a millisecond of the server's own time whenever they were made. On a busy machine any may be interrupted, so that the shortest
 * time of several tries counts; one that is not made again, as its answer is remembered, stays as slow as it was.
 */
export async function alwaysSlow({ valkey }: Stage, look: () => Promise<unknown>): Promise<string[]> {
  await valkey.config("SET", "slowlog-max-len", 100_000);
  await valkey.config("SET", "slowlog-log-slower-than", 0);
  const shortest = new Map<string, number>();
  let slow: string[] = [];
  for (let tries = 0; tries < mostTries; tries++) {
    await valkey.slowlog("RESET");
    await look();
    for (const [, , micros, words] of (await valkey.slowlog("GET", -1)) as Entry[]) {
      const name = nameOf(words);
      shortest.set(name, Math.min(micros, shortest.get(name) ?? Infinity));
    }
    slow = [...shortest].filter(([, micros]) => micros > slowUs).map(([name, micros]) => `${micros} us: ${name}`);
    if (slow.length === 0) break;
  }
  await valkey.config("SET", "slowlog-log-slower-than", 1_000_000);
  return slow;
}

/** Of a command what it is each time: without times and numbers of that length. */
function nameOf(words: readonly string[]): string {
  return words
    .map((word) => word.slice(0, 80))
    .join(" ")
    .replace(/\d{9,}/g, "#");
}
