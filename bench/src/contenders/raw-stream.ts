// A stream and a consumer group without a library. Appends are XADDs that the client pipelines by itself, as many as there are in a turn of the
// event loop. The consumer acknowledges what it has handled with the next read, in one packet; there are two such loops, each with a
// connection and half of the concurrency, so that server and client work at the same time. Entries of a consumer that dies are nobody's: no
// lease, no attempts, no order of keys.
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
      const half = Math.ceil(concurrency / 2);
      const rooms = [half, concurrency - half].filter((room) => room > 0);
      const clients = await Promise.all(rooms.map(() => connect(valkey)));
      let isStopping = false;
      const loop = async (client: Valkey, room: number): Promise<void> => {
        let ids: string[] = [];
        while (!isStopping || ids.length > 0) {
          const entries = await acknowledgeAndRead(client, { name, ids, room: isStopping ? 0 : room });
          for (const [, [, text = ""]] of entries) {
            const data: Payload = JSON.parse(text);
            handler(data.seq);
          }
          ids = entries.map(([id]) => id);
        }
      };
      const loops = clients.map((client, index) => loop(client, rooms[index] ?? 1));
      return {
        stop: async () => {
          isStopping = true;
          await Promise.all(loops);
          for (const client of clients) client.disconnect();
        },
      };
    },
    unfinished: () => streamBacklog(producer, name, group),
    close: async () => producer.disconnect(),
  };
};

async function acknowledgeAndRead(
  client: Valkey,
  { name, ids, room }: { readonly name: string; readonly ids: readonly string[]; readonly room: number },
): Promise<Entries> {
  const pipeline = client.pipeline();
  if (ids.length > 0) pipeline.xack(name, group, ...ids);
  if (room > 0) pipeline.xreadgroup("GROUP", group, "consumer", "COUNT", room, "BLOCK", blockMs, "STREAMS", name, ">");
  const results = (await pipeline.exec()) ?? [];
  for (const [error] of results) if (error) throw error;
  const streams = room > 0 ? (results.at(-1)?.[1] as [name: string, entries: Entries][] | null) : null;
  return streams?.[0]?.[1] ?? [];
}
