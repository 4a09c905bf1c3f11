import pg from "pg";
import type { OpenEffectQueue } from "./effect-queue.ts";
import { inChunks } from "./in-flight.ts";
import { payloadsOf } from "./payload.ts";

const createJobs = "CREATE TABLE bare_job (id integer PRIMARY KEY, data json NOT NULL)";
const addJobs = "INSERT INTO bare_job SELECT id, data::json FROM unnest($1::integer[], $2::text[]) AS new (id, data)";
const endWithEffects = {
  name: "bare-end",
  text: "WITH ended AS (DELETE FROM bare_job WHERE id = ANY ($1::integer[]) RETURNING id) INSERT INTO effects (seq) SELECT id FROM ended",
};
const batchSize = 100;
const lanes = 4;

// The least that a queue whose jobs are rows can ask of PostgreSQL for effects that are committed with the end of their jobs: one statement for a batch, which
// is a transaction by itself, on a table without any index but its key. Nobody looks for jobs, holds them, or hears that there are some: their numbers are known.
export const open: OpenEffectQueue = async ({ postgres, payloadBytes }) => {
  const clients = Array.from({ length: lanes }, () => new pg.Client(postgres));
  await Promise.all(clients.map((client) => client.connect()));
  const [first] = clients;
  if (!first) throw new Error("There is no connection.");
  await first.query(createJobs);
  const payload = payloadsOf(payloadBytes);
  let added = 0;
  return {
    addAll: (jobs) =>
      inChunks({ from: 0, to: (added = jobs) }, 1_000, (sequence) =>
        first.query(addJobs, [sequence, sequence.map((seq) => JSON.stringify(payload(seq)))]),
      ),
    work: (_mode, onHandled) => {
      let next = 0;
      const lane = async (client: pg.Client): Promise<void> => {
        while (next < added) {
          const from = next;
          next = Math.min(added, from + batchSize);
          await client.query({ ...endWithEffects, values: [Array.from({ length: next - from }, (_, index) => from + index)] });
          onHandled(next - from);
        }
      };
      const running = Promise.all(clients.map(lane));
      return Promise.resolve({
        stop: async () => {
          await running;
        },
      });
    },
    unfinished: async () => {
      const { rows } = await first.query<{ jobs: number }>("SELECT count(*)::integer AS jobs FROM bare_job");
      return rows[0]?.jobs ?? Number.NaN;
    },
    close: async () => {
      await Promise.all(clients.map((client) => client.end()));
    },
  };
};
