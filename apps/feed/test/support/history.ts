import { Keyline } from "keyline";
import { expect, inject } from "vitest";

interface ChannelHistory {
  /** Resolves when this many messages are kept: a post is committed before it is published. */
  whenKept(channel: string, count: number): Promise<void>;
  /** As after FLUSHALL, for one channel alone: other tests use the same Valkey. */
  forget(channel: string): Promise<void>;
  close(): Promise<void>;
}

/** What Valkey keeps of the channels of a feed. */
export function openHistory(prefix: string): ChannelHistory {
  const keyline = new Keyline({ valkey: inject("valkeyUrl"), prefix });
  const keyOf = (channel: string): string => `${prefix}:{${channel}}:history`;
  return {
    whenKept: (channel, count) => expect.poll(() => keyline.command("XLEN", keyOf(channel)), { timeout: 10_000 }).toBe(count),
    forget: async (channel) => {
      await keyline.command("DEL", keyOf(channel), `${keyOf(channel)}-state`);
    },
    close: () => keyline.close(),
  };
}
