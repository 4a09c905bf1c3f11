// NATS JetStream on disk, one replica, as its guides have it: a publish resolves with the server's acknowledgement, many of them on their way
// at once; a durable pull consumer with explicit acknowledgement, read by its client's own `consume` with a callback, which keeps as
// many messages coming as there is room for. It writes every message to a file, which it syncs every two minutes: more than a Valkey
// without persistence, less than a PostgreSQL. Acknowledgements are sent and not waited for, but counted by the server.
import { AckPolicy, jetstream, jetstreamManager, StorageType } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { setTimeout as pause } from "node:timers/promises";
import { keepInFlight } from "./in-flight.ts";
import { payloadsOf, type Payload } from "./payload.ts";
import type { OpenPlainQueue } from "./plain-queue.ts";

const consumer = "bench";
const settlingMs = 5_000;

export const open: OpenPlainQueue = async ({ nats, name, payloadBytes }) => {
  const connection = await connect({ servers: nats ?? "" });
  const manager = await jetstreamManager(connection);
  await manager.streams.add({ name, subjects: [name], storage: StorageType.File, num_replicas: 1 });
  const client = jetstream(connection);
  const payload = payloadsOf(payloadBytes);
  const unfinished = async (): Promise<number> => {
    const { num_pending, num_ack_pending } = await manager.consumers.info(name, consumer);
    return num_pending + num_ack_pending;
  };
  return {
    addRange: (range, inFlight) => keepInFlight(range, inFlight, (seq) => client.publish(name, JSON.stringify(payload(seq)))),
    work: async (handler, concurrency) => {
      await manager.consumers.add(name, { durable_name: consumer, ack_policy: AckPolicy.Explicit, max_ack_pending: -1 });
      const pulled = await client.consumers.get(name, consumer);
      const messages = await pulled.consume({
        max_messages: concurrency,
        callback: (message) => {
          void handler(message.json<Payload>().seq);
          message.ack();
        },
      });
      return {
        stop: async () => {
          await messages.close();
          await connection.flush();
          // The server takes acknowledgements after it has said that it got everything.
          const deadline = performance.now() + settlingMs;
          while ((await unfinished()) > 0 && performance.now() < deadline) await pause(20);
        },
      };
    },
    unfinished,
    close: () => connection.close(),
  };
};
