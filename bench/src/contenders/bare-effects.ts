import type pg from "pg";
import { BareRows, batchSize, lanes } from "./bare-rows.ts";
import type { OpenEffectQueue } from "./effect-queue.ts";
import { payloadsOf } from "./payload.ts";

// The least that a queue whose jobs are rows can ask of PostgreSQL for effects that are committed with the end of their jobs: one statement for a batch, which
// is a transaction by itself, on a table without any index but its key. Nobody looks for jobs, holds them, or hears that there are some: their numbers are known.
export const open: OpenEffectQueue = async ({ postgres, payloadBytes }) => {
  const rows = await BareRows.open(postgres);
  let added = 0;
  return {
    addAll: (jobs) => rows.addAll((added = jobs), payloadsOf(payloadBytes)),
    work: (_mode, onHandled) => {
      let next = 0;
      const lane = async (client: pg.Client): Promise<void> => {
        while (next < added) {
          const from = next;
          next = Math.min(added, from + batchSize);
          await rows.end(
            client,
            Array.from({ length: next - from }, (_, index) => from + index),
          );
          onHandled(next - from);
        }
      };
      const running = Promise.all(rows.clients.slice(0, lanes).map(lane));
      return Promise.resolve({
        stop: async () => {
          await running;
        },
      });
    },
    unfinished: () => rows.count(),
    close: () => rows.close(),
  };
};
