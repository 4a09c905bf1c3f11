// A stream and a consumer group without a library. Appends are XADDs that the client pipelines by itself, as many as there are in a turn of the
// event loop. The consumer acknowledges what it has handled right before the next read, so that both travel together: two such loops are
// no faster, nor is the client's own pipeline. Entries of a consumer that dies are nobody's: no lease, no attempts, no order of keys.
import type { Valkey } from "iovalkey";
import { keepInFlight } from "./in-flight.ts";
import { payloadsOf, type Payload } from "./payload.ts";
import type { OpenPlainQueue } from "./plain-queue.ts";
import { streamBacklog } from "./stream-backlog.ts";
import { connect } from "./valkey-connection.ts";

const group = "bench";
const blockMs = 200;

type Entries = readonly (readonly [id: string, fields: readonly string[]])[];

export const open: OpenPlainQueue = async ({ valkey, name, payloadBytes }) => {
  const producer = await connect(valkey, { enableAutoPipelining: true });
  const payload = payloadsOf(payloadBytes);
  return {
    addRange: (range, inFlight) => keepInFlight(range, inFlight, (seq) => producer.xadd(name, "*", "data", JSON.stringify(payload(seq)))),
    work: async (handler, concurrency) => {
      await producer.xgroup("CREATE", name, group, "0", "MKSTREAM");
      const client = await connect(valkey);
      let isStopping = false;
      const loop = async (): Promise<void> => {
        let ids: string[] = [];
        while (!isStopping || ids.length > 0) {
          const acknowledged = ids.length > 0 ? client.xack(name, group, ...ids) : undefined;
          const entries = isStopping ? [] : await read(client, name, concurrency);
          await acknowledged;
          for (const [, [, text = ""]] of entries) {
            const data: Payload = JSON.parse(text);
            void handler(data.seq);
          }
          ids = entries.map(([id]) => id);
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
    unfinished: () => streamBacklog(producer, name, group),
    close: async () => producer.disconnect(),
  };
};

async function read(client: Valkey, name: string, count: number): Promise<Entries> {
  const reply = await client.xreadgroup("GROUP", group, "consumer", "COUNT", count, "BLOCK", blockMs, "STREAMS", name, ">");
  return (reply as [name: string, entries: Entries][] | null)?.[0]?.[1] ?? [];
}
