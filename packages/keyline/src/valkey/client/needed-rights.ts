import type { Cluster, Valkey } from "iovalkey";
import { toError } from "../../runtime/errors.ts";
import { isConnectionError } from "./connection.ts";
import { isNotPermitted } from "./run-mark.ts";
import { scriptsBeside } from "./script.ts";

const ask = scriptsBeside(import.meta.url)(0, "refused");

const withoutKeys = ["EVAL", "EVALSHA", "PING", "TIME"];
const ofChannels = ["PUBLISH", "SUBSCRIBE"];
const ofShards = ["SPUBLISH", "SSUBSCRIBE"];
const ofAnyKind = ["DEL", "EXISTS", "EXPIRE", "PERSIST", "PEXPIRE", "PTTL", "RENAME", "TYPE", "UNLINK"];
const strings = ["DECR", "DECRBY", "GET", "INCR", "INCRBY", "MGET", "SET"];
const hashes = ["HDEL", "HEXISTS", "HGET", "HGETALL", "HINCRBY", "HKEYS", "HLEN", "HMGET", "HSCAN", "HSET", "HSETNX", "HSTRLEN", "HVALS"];
const lists = ["BLMOVE", "BLPOP", "LINDEX", "LLEN", "LMOVE", "LPOP", "LPOS", "LPUSH", "LRANGE", "LREM", "LSET", "LTRIM", "RPOP", "RPUSH"];
const sets = ["SADD", "SCARD", "SISMEMBER", "SMEMBERS", "SMISMEMBER", "SRANDMEMBER", "SREM", "SSCAN"];
const sorted = [
  "ZADD",
  "ZCARD",
  "ZCOUNT",
  "ZINCRBY",
  "ZRANGE",
  "ZRANGEBYSCORE",
  "ZREM",
  "ZREMRANGEBYRANK",
  "ZREMRANGEBYSCORE",
  "ZSCAN",
  "ZSCORE",
];
const streams = ["XACK", "XADD", "XCLAIM", "XDEL", "XLEN", "XPENDING", "XRANGE", "XREAD", "XREADGROUP", "XREVRANGE", "XTRIM"];
const streamGroups = ["XGROUP CREATE", "XGROUP SETID", "XINFO GROUPS", "XINFO STREAM"];
const ofKeys = [...ofAnyKind, ...strings, ...hashes, ...lists, ...sets, ...sorted, ...streams, ...streamGroups];

/** What Keyline asks of Valkey. Not among them is that without which it does something else: INFO, CLIENT UNBLOCK and CONFIG GET; and what only lists things for people: SCAN and PUBSUB. */
export const neededCommands: readonly string[] = [...withoutKeys, ...ofChannels, ...ofKeys];

/** What this user of a server may not do of that, or of keys with the prefix, in words. Nothing is done by asking. */
export async function findRefused(
  client: Valkey | Cluster,
  { prefix, isCluster }: { readonly prefix: string; readonly isCluster: boolean },
): Promise<readonly string[]> {
  const commands = isCluster ? [...neededCommands, ...ofShards] : neededCommands;
  let refused: readonly string[];
  try {
    refused = (await ask.run({ client }, [`${prefix}:rights`, ...commands])) as string[];
  } catch (error) {
    if (isNotPermitted(error)) return [/'(\w+)' command/.exec(toError(error).message)?.[1]?.toUpperCase() ?? "EVAL"];
    if (isConnectionError(error)) throw error;
    // It cannot be asked here; the first use of a queue or a group tries.
    return [];
  }
  // Where no command may be used on such a key it is the keys that are missing.
  if (!ofKeys.every((name) => refused.includes(name))) return refused;
  return [`keys that begin with ${prefix}:`, ...refused.filter((name) => !ofKeys.includes(name))];
}
