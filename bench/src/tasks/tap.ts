import { once } from "node:events";
import { connect } from "node:net";
import { SequenceScanner } from "../contenders/sequence-scanner.ts";
import type { Task } from "../process/stage.ts";
import { Deliveries } from "./deliveries.ts";

export interface TapParams {
  readonly valkey: string;
  readonly messages: number;
}

/**
 * Hears everything that is published on a Valkey and checks that messages 0 to `messages` come once and in order. On a bare socket, for a client
 * library could be slower than whoever publishes, and the server cuts a subscriber that is too far behind.
 */
export const tap: Task<TapParams, null, { readonly irregularity: string | undefined }> = async ({ valkey, messages }, stage) => {
  const { hostname, port } = new URL(valkey);
  const deliveries = new Deliveries(1, messages);
  const scanner = new SequenceScanner();
  const socket = connect(Number(port), hostname);
  let isDone = false;
  socket.on("error", (error) => deliveries.note(`Nothing more came: ${error.message}`));
  socket.on("close", () => isDone || deliveries.note("Nothing more came: the server closed the connection"));
  socket.write("PSUBSCRIBE *\r\n");
  await once(socket, "data");
  socket.on("data", (bytes: Buffer) => scanner.scan(bytes, (seq) => deliveries.record(0, seq)));
  await stage.measure(async () => {
    await deliveries.reach(messages);
    return null;
  });
  isDone = true;
  socket.destroy();
  return { irregularity: deliveries.irregularity };
};
