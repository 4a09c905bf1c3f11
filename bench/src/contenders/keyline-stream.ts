import { Keyline } from "keyline";
import { keepInFlight } from "./in-flight.ts";
import { payloadsOf, type Payload } from "./payload.ts";
import type { OpenPlainQueue } from "./plain-queue.ts";
import { streamBacklog } from "./stream-backlog.ts";
import { connect } from "./valkey-connection.ts";

const group = "bench";

/** A plain stream and one of its consumer groups, with their defaults. */
export const open: OpenPlainQueue = async ({ valkey, name, payloadBytes }) => {
  const keyline = new Keyline({ valkey });
  const stream = keyline.stream<Payload>(name);
  const payload = payloadsOf(payloadBytes);
  const observer = await connect(valkey);
  return {
    addRange: (range, inFlight) => keepInFlight(range, inFlight, (seq) => stream.append(payload(seq))),
    work: async (handler, concurrency) => {
      const consumer = stream.consume(group, (entry) => handler(entry.data.seq), { concurrency });
      return { stop: () => consumer.stop() };
    },
    unfinished: () => streamBacklog(observer, `kl:{${name}}:events`, group),
    close: async () => {
      await keyline.close();
      observer.disconnect();
    },
  };
};
