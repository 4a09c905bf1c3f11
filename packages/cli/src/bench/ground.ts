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
  "waiting waiting:high waiting:low scheduled workers gone groups lines gates paused wake signals schedules ticks dead dead:why dead:job dead:ids " +
  "dead:dropped ids ends events events:state families family-owing epoch run rights tracked aware"
).split(" ");
const streamKeys = ["events", "events-state", "foreign", "groups"];
const minuteMs = 60_000;

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
  const minutes: string[] = [];
  for (let at = Math.floor(began / minuteMs); at <= Math.floor(Date.now() / minuteMs) + 1; at++) minutes.push(`rates:${at}`);
  const below = (base: string, names: readonly string[]): string[] => names.map((name) => `${prefix}:{${base}}:${name}`);
  for (const queue of Object.values(queues)) await cleaner.command("UNLINK", ...below(queue, [...queueKeys, ...minutes]));
  await cleaner.command("UNLINK", ...below(stream, [...streamKeys, ...minutes]));
  await cleaner.command("UNLINK", ...below(channel, ["history", "history-state", ...minutes]));
  // Each in a slot of its own.
  for (const kind of ["queues", "streams", "channels"]) await cleaner.command("UNLINK", `${prefix}:directory:${kind}`);
}

async function removeRows(cleaner: Keyline, tag: string): Promise<void> {
  await cleaner.transaction(async (tx) => {
    const { rows } = await tx.query<{ table_name: string }>(
      "SELECT table_name FROM information_schema.columns WHERE table_schema = 'keyline' AND column_name = 'queue'",
    );
    for (const { table_name: table } of rows) await tx.query(`DELETE FROM keyline."${table}" WHERE queue LIKE $1`, [`${tag}-%`]);
  });
}
