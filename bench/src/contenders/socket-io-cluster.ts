import { createAdapter } from "@socket.io/redis-adapter";
import { Redis } from "ioredis";
import { Server, type ServerOptions } from "socket.io";

export interface SocketIoNode {
  readonly server: Server;
  /** Closes the connections to Valkey. */
  readonly leave: () => Promise<void>;
}

/** A server of Socket.IO that shares its rooms with all others on that Valkey, as its documentation sets the Redis adapter up. */
export async function joinCluster(valkey: string, options: Partial<ServerOptions>): Promise<SocketIoNode> {
  const { hostname, port } = new URL(valkey);
  const publisher = new Redis({ host: hostname, port: Number(port) });
  const subscriber = publisher.duplicate();
  const server = new Server({ ...options, adapter: createAdapter(publisher, subscriber) });
  // Answered after the adapter's own subscriptions, which it does not wait for.
  await Promise.all([publisher.ping(), subscriber.ping()]);
  return {
    server,
    leave: async () => {
      publisher.disconnect();
      subscriber.disconnect();
    },
  };
}
