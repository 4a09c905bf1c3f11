import type { ValkeyConnection } from "./connection.ts";
import { scriptsBeside } from "./script.ts";

const rights = scriptsBeside(import.meta.url)(1, "rights");

const lists = ["LINDEX", "LLEN", "LMOVE", "LPOP", "LPUSH", "LRANGE", "LREM", "RPOP", "RPUSH"] as const;
const sorted = ["ZADD", "ZRANGE", "ZREM", "ZSCORE"] as const;
const hashes = ["HDEL", "HEXISTS", "HGET", "HMGET", "HSET"] as const;
/** Of jobs with a place of their own: where they go, and what tells workers of it. */
const places = [
  "DECR",
  "EXPIRE",
  "HDEL",
  "HGET",
  "HMGET",
  "HSET",
  "HSETNX",
  "INCR",
  "SADD",
  "SISMEMBER",
  "XADD",
  "XREVRANGE",
  "ZREM",
] as const;
const streams = ["XACK", "XADD", "XCLAIM", "XLEN", "XPENDING", "XRANGE", "XREADGROUP"] as const;

/** What a role's scripts use: `deliver` brings committed jobs, `work` takes jobs, `consume` takes entries. */
const commands = {
  deliver: ["GET", "LPUSH", "LRANGE", "TYPE", "ZADD", "ZRANGE", ...places],
  work: [...lists, "BLMOVE", "BLPOP", "LSET", "LTRIM", "SREM", ...sorted, "ZCARD", "INCRBY", "DECRBY", "HGETALL", "PEXPIRE", ...places],
  consume: [...lists, ...sorted, ...hashes, ...streams],
} as const;

/**
 * Throws NOT_PERMITTED when Valkey's user may not use a command that the role needs. `key` is of nobody and beside those that the role is about. A connection
 * that was checked for a role and a key is not checked again.
 */
export async function checkRights(connection: ValkeyConnection, role: keyof typeof commands, key: string): Promise<void> {
  const known = checked.get(connection) ?? new Set<string>();
  checked.set(connection, known);
  if (known.has(`${role} ${key}`)) return;
  await rights.run(connection, [key, ...commands[role]]);
  known.add(`${role} ${key}`);
}

const checked = new WeakMap<ValkeyConnection, Set<string>>();
