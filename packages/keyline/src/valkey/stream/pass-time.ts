import type { ValkeyConnection } from "../client/connection.ts";
import { groupScript } from "./group-script.ts";
import { wakeKeyOf } from "./group-wake.ts";
import type { StreamKeys } from "./keys.ts";

const passTimeScript = groupScript(2, "stream-pass-time");

/** Lets time pass for a stream on Valkey: see scripts/stream-pass-time.lua. */
export async function passTime(connection: ValkeyConnection, keys: StreamKeys, ms: number): Promise<void> {
  await passTimeScript.run(connection, [keys.groups, wakeKeyOf(keys), ms, keys.once(""), keys.groupPrefix]);
}
