// The least that server-sent events can cost without a library: what pub/sub brings is framed once and written to every response. Nobody
// is asked who they are, nobody who reads too slowly is noticed, and nobody can resume.
import { createServer, type ServerResponse } from "node:http";
import { listenAnywhere } from "./listen-anywhere.ts";
import type { OpenLiveServer } from "./live-server.ts";
import { connect } from "./valkey-connection.ts";

export const open: OpenLiveServer = async ({ valkey, channel }) => {
  const subscriber = await connect(valkey);
  const responses = new Set<ServerResponse>();
  subscriber.on("message", (_channel: string, text: string) => {
    const frame = Buffer.from(`data: ${text}\n\n`);
    for (const response of responses) response.write(frame);
  });
  await subscriber.subscribe(channel);
  const server = createServer((_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    response.write(":\n\n");
    responses.add(response);
    response.on("close", () => responses.delete(response));
  });
  return {
    url: await listenAnywhere(server),
    close: async () => {
      server.closeAllConnections();
      server.close();
      subscriber.disconnect();
    },
  };
};
