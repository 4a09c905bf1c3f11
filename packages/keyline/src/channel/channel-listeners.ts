import type { ChannelLog } from "../valkey/channel/channel-log.ts";

/** Who listens to a channel. */
export interface ChannelListeners {
  /**
   * Connections that are subscribed to this very channel. Each Keyline has one, however many subscriptions it has, and keeps it for ten seconds when the last of them has been closed. Those who
   * listen by a pattern (`keyline.channels`) are not counted: Valkey does not say which channels they hear.
   */
  readonly connections: number;
}

const readyWithinMs = 2_000;

/** Throws VALKEY_UNAVAILABLE. */
export async function readListeners(log: ChannelLog): Promise<ChannelListeners> {
  await log.connection.ensureReady(readyWithinMs);
  return { connections: await log.countListeners() };
}
