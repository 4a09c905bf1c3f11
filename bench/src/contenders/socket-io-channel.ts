import { payloadsOf, type Payload } from "./payload.ts";
import type { OpenPlainChannel } from "./plain-channel.ts";
import { joinCluster } from "./socket-io-cluster.ts";

/** From server to server: `serverSideEmit`, which the adapter publishes on Valkey. Nobody hears whether anybody got it. */
export const openBetweenServers: OpenPlainChannel = async ({ valkey, payloadBytes }) => {
  const { server, leave } = await joinCluster(valkey, {});
  const payload = payloadsOf(payloadBytes);
  return {
    publish: async (seq) => server.serverSideEmit("message", payload(seq)),
    subscribe: async (listeners) => {
      server.on("message", ({ seq }: Payload) => {
        for (const listener of listeners) listener(seq);
      });
    },
    close: leave,
  };
};

/** To the clients in a room, of all servers: from a server that has none itself. */
export const openRoom: OpenPlainChannel = async ({ valkey, name, payloadBytes }) => {
  const { server, leave } = await joinCluster(valkey, {});
  const payload = payloadsOf(payloadBytes);
  return {
    publish: async (seq) => server.to(name).emit("message", payload(seq)),
    subscribe: async () => {
      throw new Error("Only clients are in a room: see socket-io-receivers.ts.");
    },
    close: leave,
  };
};
