import { startGateway } from "@keyline/gateway";
import { Keyline, type ChannelOptions } from "keyline";
import { historyOptions } from "./keyline-channel.ts";
import type { LiveServerOptions, OpenLiveServer } from "./live-server.ts";

// All clients of a run come from one address, which would be a flood anywhere else.
const limits = { connectionsPerVisitor: 100_000, connections: 100_000, requests: { max: 1_000_000, perMs: 60_000 } };

export const open: OpenLiveServer = (options) => openWith({}, options);
export const openKept: OpenLiveServer = (options) => openWith(historyOptions, options);

async function openWith(channelOptions: ChannelOptions, { valkey, channel }: LiveServerOptions): ReturnType<OpenLiveServer> {
  const keyline = new Keyline({ valkey });
  const exposure = { channel: keyline.channel<never>(channel, channelOptions), access: "public" } as const;
  const gateway = await startGateway({ keyline, channels: [exposure], limits, port: 0, closeOn: [] });
  return {
    url: gateway.url,
    close: async () => {
      await gateway.close();
      await keyline.close();
    },
  };
}
