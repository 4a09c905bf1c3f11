import { createServer } from "node:http";
import { listenAnywhere } from "./listen-anywhere.ts";
import type { OpenLiveServer } from "./live-server.ts";
import { joinCluster } from "./socket-io-cluster.ts";

// As its guides on performance and memory say: WebSocket alone (so there is no polling to upgrade from), no compression of messages, which is
// its default, and the first request of a connection let go. Each message is encoded and framed once for all clients, which the library
// does by itself.
export const open: OpenLiveServer = async ({ valkey, channel }) => {
  const http = createServer();
  const { server, leave } = await joinCluster(valkey, { transports: ["websocket"], serveClient: false });
  server.attach(http);
  server.engine.on("connection", (connection: { request: unknown }) => (connection.request = null));
  server.on("connection", (socket) => void socket.join(channel));
  return {
    url: await listenAnywhere(http),
    close: async () => {
      await server.close();
      await leave();
    },
  };
};
