import { scriptsBeside } from "../client/script.ts";
import type { QueueStore } from "./queue-store.ts";

const passTimeScript = scriptsBeside(import.meta.url)(1, "base", "place", "pass-time");

/** Lets time pass for a queue on Valkey: see scripts/pass-time.lua. */
export async function passTime({ connection, keys }: QueueStore, ms: number): Promise<void> {
  await passTimeScript.run(connection, [keys.workers, ms]);
}
