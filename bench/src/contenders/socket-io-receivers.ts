import { io, type Socket } from "socket.io-client";
import { inWaves } from "./in-flight.ts";
import type { Payload } from "./payload.ts";
import type { ConnectReceivers, ReceiversOptions } from "./receivers.ts";

export const connectReceivers: ConnectReceivers = async (options) => {
  const sockets: Socket[] = [];
  await inWaves(options.count, async (receiver) => {
    sockets[receiver] = await connectOne(receiver, options);
  });
  return {
    close: async () => {
      for (const socket of sockets) socket.disconnect();
    },
  };
};

async function connectOne(receiver: number, { url, onMessage, onLost }: ReceiversOptions): Promise<Socket> {
  const socket = io(url, { transports: ["websocket"], forceNew: true, reconnection: false });
  await new Promise<void>((resolve, reject) => {
    socket.on("connect", resolve);
    socket.on("connect_error", reject);
  });
  socket.on("message", ({ seq }: Payload) => onMessage(receiver, seq));
  socket.on("disconnect", (reason) => {
    if (reason !== "io client disconnect") onLost(reason);
  });
  return socket;
}
