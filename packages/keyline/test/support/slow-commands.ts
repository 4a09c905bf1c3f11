import type { Valkey } from "iovalkey";

/** Of a command and its arguments what is the same in each round. */
export type NameOf = (words: readonly string[], round: number) => string;

export interface Slowness {
  /** How many commands it took, in the last round. */
  readonly calls: number;
  /** What was slow in each round, with the shortest time that it took. */
  readonly slow: readonly string[];
}

const mostRounds = 6;
/** With a script that the server has to compile. */
const compiledUs = 3_000;
const mostEntries = 20_000;
/** What is asked here, and what is made thousands of times and takes the same whatever there is. */
const passed = /^(?:info|slowlog|config|script|hget|exists|llen)$/i;

const exactly: NameOf = (words) => words.join(" ");

/**
 * Which commands keep a server for longer than `thresholdUs` whenever they are made. What is slow once may have been in the server's way on a busy machine, which
 * is why the same is done again until nothing is left that was slow each time. The server does not know the scripts before: that of the first call is compiled, which alone takes it one
 * to two milliseconds where the script is a long one.
 */
export async function slowEachTime(
  valkey: Valkey,
  thresholdUs: number,
  { work, nameOf = exactly }: { readonly work: (round: number) => Promise<void>; readonly nameOf?: NameOf | undefined },
): Promise<Slowness> {
  await valkey.config("SET", "slowlog-max-len", mostEntries);
  await valkey.config("SET", "slowlog-log-slower-than", thresholdUs);
  let slow: Map<string, number> | undefined;
  let calls = 0;
  for (let round = 0; round < mostRounds && slow?.size !== 0; round++) {
    await valkey.script("FLUSH");
    await valkey.config("RESETSTAT");
    await valkey.slowlog("RESET");
    await work(round);
    const entries = (await valkey.slowlog("GET", mostEntries)) as [number, number, number, string[]][];
    const stats = await valkey.info("commandstats");
    calls = [...stats.matchAll(/cmdstat_(?:eval|evalsha|lrange|zrange|lindex):calls=(\d+)/g)].reduce(
      (sum, [, one]) => sum + Number(one),
      0,
    );
    const before = slow;
    slow = new Map();
    for (const [, , us, words] of entries) {
      const [command = ""] = words;
      if (passed.test(command) || us <= (command === "eval" ? compiledUs : 0)) continue;
      const name = nameOf(words, round);
      const shortest = before ? before.get(name) : Infinity;
      if (shortest !== undefined) slow.set(name, Math.min(us, shortest));
    }
  }
  return { calls, slow: [...(slow ?? [])].map(([name, us]) => `${us} us: ${name}`) };
}
