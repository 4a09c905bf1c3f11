import { setTimeout as pause } from "node:timers/promises";
import type { Valkey } from "iovalkey";
import { Keyline } from "keyline";
import pg from "pg";
import type { OpenEventStore, Recorded } from "./event-store.ts";
import { payloadsOf, type Payload } from "./payload.ts";
import { connect } from "./valkey-connection.ts";

const countEvents = `SELECT count(*)::integer AS total, count(DISTINCT (data::json->>'seq')::integer)::integer AS distinct
  FROM keyline.event WHERE stream = $1 AND position > 0`;
const newestEvents = `SELECT (position >> 20) || '-' || (position & 1048575) AS id, data
  FROM keyline.event WHERE stream = $1 AND position > 0 ORDER BY position DESC LIMIT $2`;
const catchUpMs = 20_000;

interface Event {
  readonly id: string;
  readonly data: string;
}

/** A transactional stream with its defaults: PostgreSQL has all of it, Valkey the newest entries. */
export const open: OpenEventStore = async ({ valkey, postgres, name, payloadBytes }) => {
  const keyline = new Keyline({ valkey, postgres });
  await keyline.migrate();
  const stream = keyline.stream<Payload>(name, { transactional: true });
  const payload = payloadsOf(payloadBytes);
  const observer = new pg.Client(postgres);
  await observer.connect();
  const reader = await connect(valkey);
  const newest = async (limit: number): Promise<Event[]> => (await observer.query<Event>(newestEvents, [name, limit])).rows;
  return {
    append: (seq) => stream.append(payload(seq)),
    recorded: async () => {
      const { rows } = await observer.query<Recorded>(countEvents, [name]);
      return rows[0] ?? { total: 0, distinct: 0 };
    },
    irregularity: async () => {
      const deadline = performance.now() + catchUpMs;
      const last = (await newest(1))[0]?.id;
      while ((await eventsOnValkey(reader, name, 1))[0]?.id !== last) {
        if (performance.now() > deadline) return `Valkey has not got as far as the record, ${last}, within ${catchUpMs / 1_000} s.`;
        await pause(5);
      }
      const kept = await eventsOnValkey(reader, name, 1_000_000);
      const recorded = await newest(kept.length);
      const index = kept.findIndex(({ id, data }, at) => recorded[at]?.id !== id || recorded[at].data !== data);
      return index < 0 ? undefined : `Valkey has ${kept[index]?.id} where the record has ${recorded[index]?.id}.`;
    },
    close: async () => {
      reader.disconnect();
      await observer.end();
      await keyline.close();
    },
  };
};

/** Newest first. */
async function eventsOnValkey(client: Valkey, stream: string, limit: number): Promise<Event[]> {
  const entries = await client.xrevrange(`kl:{${stream}}:events`, "+", "-", "COUNT", limit);
  return entries.map(([id, fields]) => ({ id, data: fields[fields.indexOf("data") + 1] ?? "" }));
}
