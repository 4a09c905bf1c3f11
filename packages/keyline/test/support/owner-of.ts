import { Valkey } from "iovalkey";

/** The primary that owns the key's slot. */
export async function ownerOf<Node extends { readonly host: string; readonly port: number }>(
  key: string,
  nodes: readonly Node[],
): Promise<Node> {
  for (const node of nodes) {
    const client = new Valkey(node.port, node.host);
    try {
      await client.lpush(key, "");
      await client.lrem(key, 1, "");
      return node;
    } catch (error) {
      if (!String(error).includes("MOVED")) throw error;
    } finally {
      client.disconnect();
    }
  }
  throw new Error(`no node owns ${key}`);
}
