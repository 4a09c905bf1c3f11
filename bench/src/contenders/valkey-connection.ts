import { Valkey } from "iovalkey";

/** Connects, so that nobody's first command pays for it. */
export async function connect(url: string, { enableAutoPipelining = false } = {}): Promise<Valkey> {
  const client = new Valkey(url, { lazyConnect: true, maxRetriesPerRequest: null, enableAutoPipelining });
  await client.connect();
  return client;
}
