// What the server alone needs from LPUSH to a worker that was asleep: a blocking move into a held list, and nothing else.
import { connect } from "./valkey-connection.ts";
import { keepInFlight } from "./in-flight.ts";
import { payloadsOf, type Payload } from "./payload.ts";
import type { OpenPlainQueue } from "./plain-queue.ts";

export const open: OpenPlainQueue = async ({ valkey, name, payloadBytes }) => {
  const producer = await connect(valkey);
  const payload = payloadsOf(payloadBytes);
  const waiting = `blmove:{${name}}:waiting`;
  const held = `blmove:{${name}}:held`;
  return {
    addRange: (range, inFlight) =>
      keepInFlight(range, inFlight, (seq) => producer.lpush(waiting, JSON.stringify({ id: String(seq), data: payload(seq) }))),
    work: async (handler) => {
      const client = await connect(valkey);
      let isStopping = false;
      const loop = async (): Promise<void> => {
        while (!isStopping) {
          const element = await client.blmove(waiting, held, "RIGHT", "LEFT", 0.2);
          if (element === null) continue;
          const { data }: { data: Payload } = JSON.parse(element);
          void handler(data.seq);
          await client.lrem(held, -1, element);
        }
      };
      const ended = loop();
      return {
        stop: async () => {
          isStopping = true;
          await ended;
          client.disconnect();
        },
      };
    },
    unfinished: async () => (await producer.llen(waiting)) + (await producer.llen(held)),
    close: async () => producer.disconnect(),
  };
};
