import { randomTag } from "../../runtime/ids.ts";
import type { ValkeyConnection } from "./connection.ts";
import { lastingFaultOf } from "./faults.ts";
import { scriptsBeside } from "./script.ts";

const swap = scriptsBeside(import.meta.url)(1, "swap");

/**
 * A name of the server's process for users who may not use INFO, which has its run id: the hash of a script that was loaded into this process alone. Neither
 * a restart nor a replica has it. `key` remembers the hash for all who ask. Not on a cluster, whose client does not say which node it asks.
 */
export async function markRun(connection: ValkeyConnection, key: string): Promise<string> {
  const { client } = connection;
  for (;;) {
    const known = await client.get(key);
    if (known !== null) {
      const [isThere] = (await client.script("EXISTS", known)) as number[];
      if (isThere === 1) return known;
    }
    const mark = String(await client.script("LOAD", `return '${randomTag(16)}'`));
    if ((await swap.run(connection, [key, known ?? "", mark])) === 1) return mark;
  }
}

/** The server refused something for want of a right. */
export function isNotPermitted(error: unknown): boolean {
  return lastingFaultOf(error)?.code === "NOT_PERMITTED";
}
