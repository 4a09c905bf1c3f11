import { Keyline } from "keyline";
import { expect, inject } from "vitest";

interface ChannelHistory {
  /** Resolves when the newest message is the post with this content: a post is committed before it is published. */
  whenNewest(channel: string, content: string): Promise<void>;
  /** As after FLUSHALL, for one channel alone: other tests use the same Valkey. */
  forget(channel: string): Promise<void>;
  close(): Promise<void>;
}

/** What Valkey keeps of the channels of a feed. */
export function openHistory(prefix: string): ChannelHistory {
  const keyline = new Keyline({ valkey: inject("valkeyUrl"), prefix });
  const keyOf = (channel: string): string => `${prefix}:{${channel}}:history`;
  return {
    whenNewest: (channel, content) => {
      const newest = async (): Promise<string> => JSON.stringify(await keyline.command("XREVRANGE", keyOf(channel), "+", "-", "COUNT", 1));
      return expect.poll(newest, { timeout: 10_000 }).toContain(`"${content}\\"`);
    },
    forget: async (channel) => {
      await keyline.command("DEL", keyOf(channel), `${keyOf(channel)}-state`);
    },
    close: () => keyline.close(),
  };
}
