import type { Valkey } from "iovalkey";

/** Entries that a consumer group has not acknowledged, or was not handed yet, as the server itself counts them. */
export async function streamBacklog(client: Valkey, key: string, group: string): Promise<number> {
  const groups = (await client.xinfo("GROUPS", key)) as unknown[][];
  const fields = groups.map((pairs) => new Map(pairs.map((name, index) => [name, pairs[index + 1]])));
  const own = fields.find((field) => field.get("name") === group);
  return Number(own?.get("pending")) + Number(own?.get("lag"));
}
