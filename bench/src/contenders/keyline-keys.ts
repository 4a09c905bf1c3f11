import type { Valkey } from "iovalkey";

/** Jobs of a queue that are waiting (in its lists, or in the line of their group), scheduled or held, by the keys that the wire format promises. */
export async function countJobsInValkey(client: Valkey, queue: string): Promise<number> {
  const keys = await client.keys(`kl:{${queue}}:*`);
  const lists = keys.filter((key) => key.includes(":waiting") || key.includes(":held:"));
  const sets = keys.filter((key) => key.endsWith(":scheduled") || key.includes(":line:"));
  const lines = client.hlen(`kl:{${queue}}:lines`);
  const lengths = await Promise.all([...lists.map((key) => client.llen(key)), ...sets.map((key) => client.zcard(key)), lines]);
  return lengths.reduce((sum, length) => sum + length, 0);
}
