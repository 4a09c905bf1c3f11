import type { ValkeyConnection } from "./connection.ts";

const page = 1_000;

/** Removes all keys that begin so, page by page. Not for a cluster. */
export async function removePrefix({ client }: ValkeyConnection, prefix: string): Promise<void> {
  if (!("scan" in client)) return;
  for (let cursor = "0"; ;) {
    const [next, keys] = await client.scan(cursor, "MATCH", `${prefix}*`, "COUNT", page);
    if (keys.length > 0) await client.unlink(...keys);
    if (next === "0") return;
    cursor = next;
  }
}
