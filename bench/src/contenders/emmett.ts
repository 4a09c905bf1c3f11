// Emmett's PostgreSQL event store: one `appendToStream` of one event is one transaction, which locks its stream's row. So the appends are spread
// over as many streams as there are appends under way, and none of them waits for another or conflicts. Between 10 and 30 connections make no
// difference on two cores, and fewer are slower; neither does it whether 1,000 callers wait for them or 20. The schema is made before, not at the first append. There is no
// second store beside PostgreSQL, so it has the easier task.
import { getPostgreSQLEventStore } from "@event-driven-io/emmett-postgresql";
import type { Event } from "@event-driven-io/emmett";
import type { OpenEventStore, Recorded } from "./event-store.ts";
import { payloadsOf } from "./payload.ts";
import { connectPostgres } from "./pg-connections.ts";

const connections = 20;
const countEvents = `SELECT count(*)::integer AS total, count(DISTINCT (message_data->>'seq')::integer)::integer AS distinct FROM emt_messages`;

type Appended = Event<"appended", { readonly seq: number; readonly filler: string }>;

export const open: OpenEventStore = async ({ postgres, payloadBytes }) => {
  const pool = connectPostgres(postgres, connections);
  const store = getPostgreSQLEventStore(postgres, { schema: { autoMigration: "None" }, connectionOptions: { pool } });
  await store.schema.migrate();
  const payload = payloadsOf(payloadBytes);
  const free: string[] = [];
  let streams = 0;
  return {
    append: async (seq) => {
      const stream = free.pop() ?? `stream-${streams++}`;
      await store.appendToStream<Appended>(stream, [{ type: "appended", data: { ...payload(seq) } }]);
      free.push(stream);
    },
    recorded: async () => {
      const { rows } = await pool.query<Recorded>(countEvents);
      return rows[0] ?? { total: 0, distinct: 0 };
    },
    irregularity: async () => undefined,
    close: async () => {
      await store.close();
      if (!pool.ended) await pool.end();
    },
  };
};
