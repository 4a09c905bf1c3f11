import type { Stage } from "../../../keyline/test/support/stage.ts";

/** What the server was asked meanwhile, and what of it took longer than a millisecond of its own time. */
export async function asked(
  { valkey }: Stage,
  look: () => Promise<unknown>,
): Promise<{ readonly commands: ReadonlyMap<string, number>; readonly slow: string[] }> {
  await valkey.config("SET", "slowlog-log-slower-than", "1000");
  await valkey.slowlog("RESET");
  await valkey.config("RESETSTAT");
  await look();
  const stats = await valkey.info("commandstats");
  const commands = new Map([...stats.matchAll(/cmdstat_([^:]+):calls=(\d+)/g)].map(([, name = "", calls]) => [name, Number(calls)]));
  const slow = (await valkey.slowlog("GET", 100)) as [id: number, at: number, micros: number, args: string[]][];
  return { commands, slow: slow.map(([, , micros, args]) => `${micros} us: ${args.join(" ").slice(0, 120)}`) };
}

/** What takes longer than a millisecond however often it is asked for: on a busy machine any command may be interrupted now and then. */
export async function alwaysSlow(stage: Stage, look: () => Promise<unknown>): Promise<string[]> {
  let slow: string[] = [];
  for (let tries = 0; tries < 20; tries++) {
    ({ slow } = await asked(stage, look));
    if (slow.length === 0) return [];
  }
  return slow;
}
