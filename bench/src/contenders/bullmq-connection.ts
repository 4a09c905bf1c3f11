import { createRequire } from "node:module";
import type { ConnectionOptions } from "bullmq";
import { Valkey } from "iovalkey";

/**
 * BullMQ's own choice of client: given an address, it loads ioredis. Where that optional peer dependency is not
 * installed it gets an iovalkey client, the fork of ioredis that Keyline uses too.
 */
export function bullmqConnection(url: string): ConnectionOptions {
  const { hostname, port } = new URL(url);
  const address = { host: hostname, port: Number(port), maxRetriesPerRequest: null };
  return hasIoredis() ? address : new Valkey(address);
}

function hasIoredis(): boolean {
  const fromBullmq = createRequire(createRequire(import.meta.url).resolve("bullmq"));
  try {
    fromBullmq.resolve("ioredis");
    return true;
  } catch {
    return false;
  }
}
