import { randomBytes } from "node:crypto";
import type { Keyline } from "keyline";
import type { Session } from "../connection/session.ts";

interface Names {
  readonly plain: string;
  readonly plainQuick: string;
  readonly recorded: string;
  readonly recordedQuick: string;
  readonly channel: string;
  readonly stream: string;
}

/** Names that nobody else uses, and what is left behind under them. */
export interface Ground {
  readonly keyline: Keyline;
  readonly names: Names;
  /** Takes away what there is, and closes the connections. */
  clear(): Promise<void>;
}

// As the guides list them. What has an expiry goes by itself; lists of workers that have stopped are empty, and so they are not there.
const queueKeys = (
  "waiting waiting:high waiting:low scheduled workers gone grouped lines gates paused wake signals schedules ticks dead dead:why dead:job dead:ids " +
  "dead:dropped ids ends feed feed:state families family-owing epoch run rights tracked aware"
).split(" ");
const streamKeys = ["events", "events-state", "foreign", "groups"];
// Whatever version of the schema it is.
const tablesOfNames = `
  SELECT table_name, column_name FROM information_schema.columns
  WHERE table_schema = 'keyline' AND column_name IN ('queue', 'name') AND table_name <> 'migration'`;
const minuteMs = 60_000;
const hourMs = 3_600_000;

/** Below the prefix of the installation, so that whoever has rights there has them here. */
export async function openGround(session: Session): Promise<Ground> {
  const tag = `bench-${randomBytes(6).toString("hex")}`;
  const keyline = await session.open(`${session.addresses.options.prefix ?? "kl"}:${tag}`);
  const began = Date.now();
  const names: Names = {
    plain: `${tag}-plain`,
    plainQuick: `${tag}-plain-quick`,
    recorded: `${tag}-recorded`,
    recordedQuick: `${tag}-recorded-quick`,
    channel: `${tag}-news`,
    stream: `${tag}-log`,
  };
  return {
    keyline,
    names,
    clear: async () => {
      const cleaner = await session.open(keyline.prefix);
      await keyline.close();
      try {
        // The rows first: whoever else uses the database may deliver them.
        if (session.hasPostgres) await removeRows(cleaner, tag);
        await removeKeys(cleaner, names, began);
      } finally {
        await cleaner.close();
      }
    },
  };
}

async function removeKeys(cleaner: Keyline, { channel, stream, ...queues }: Names, began: number): Promise<void> {
  const { prefix } = cleaner;
  const below = (name: string, keys: readonly string[]): string[] => keys.map((key) => `${prefix}:{${name}}:${key}`);
  for (const queue of Object.values(queues)) await cleaner.command("UNLINK", ...below(queue, [...queueKeys, ...rateKeys("rates", began)]));
  await cleaner.command("UNLINK", ...below(stream, [...streamKeys, ...rateKeys("stream-rates", began)]));
  await cleaner.command("UNLINK", ...below(channel, ["history", "history-state", ...rateKeys("channel-rates", began)]));
  // Each in a slot of its own.
  for (const kind of ["queues", "streams", "channels"]) await cleaner.command("UNLINK", `${prefix}:directory:${kind}`);
}

/** What was counted in each minute and each hour since then. */
function rateKeys(base: string, since: number): string[] {
  const until = Date.now() + minuteMs;
  const keys = [`${base}:hours`];
  for (let at = Math.floor(since / minuteMs); at <= until / minuteMs; at++) keys.push(`${base}:${at}`);
  for (let at = Math.floor(since / hourMs); at <= until / hourMs; at++) keys.push(`${base}:hour:${at}`, `${base}:depth:${at}`);
  return keys;
}

async function removeRows(cleaner: Keyline, tag: string): Promise<void> {
  await cleaner.transaction(async (tx) => {
    const { rows } = await tx.query<{ table_name: string; column_name: string }>(tablesOfNames);
    for (const { table_name: table, column_name: column } of rows) {
      await tx.query(`DELETE FROM keyline."${table}" WHERE "${column}" LIKE $1`, [`${tag}-%`]);
    }
  });
}
