import { readFile } from "node:fs/promises";
import type pg from "pg";
import { BareRows, batchSize, lanes } from "./bare-rows.ts";
import type { OpenEffectQueue } from "./effect-queue.ts";
import { inChunks } from "./in-flight.ts";
import { payloadsOf, type Payload } from "./payload.ts";
import { connect } from "./valkey-connection.ts";

const script = await readFile(new URL("floor.lua", import.meta.url), "utf8");

// The statements of `bare-statements`, with what a queue has to do at the least that hands its jobs out on Valkey: elements on a list; a script that ends the batch
// before and takes the next one into a list of this lane's, so that what was taken is not lost; and the data of each job, read from its element. Nothing is checked, counted, renewed or retried.
export const open: OpenEffectQueue = async ({ valkey, postgres, name, payloadBytes }) => {
  const [rows, client] = await Promise.all([BareRows.open(postgres), connect(valkey)]);
  const payload = payloadsOf(payloadBytes);
  const waiting = `floor:{${name}}:waiting`;
  const held = (lane: number): string => `floor:{${name}}:held:${lane}`;
  return {
    addAll: async (jobs) => {
      await rows.addAll(jobs, payload);
      const push = (sequence: readonly number[]): Promise<number> =>
        client.lpush(waiting, ...sequence.map((seq) => JSON.stringify({ id: String(seq), data: payload(seq) })));
      await inChunks({ from: 0, to: jobs }, 250, push);
    },
    work: async (_mode, onHandled) => {
      const digest = String(await client.script("LOAD", script));
      const work = async (connection: pg.Client, lane: number): Promise<void> => {
        for (let finished = 0; ;) {
          const taken = (await client.evalsha(digest, 2, waiting, held(lane), finished, batchSize)) as string[];
          if (taken.length === 0) return;
          await rows.end(connection, taken.map(sequenceOf));
          onHandled(taken.length);
          finished = taken.length;
        }
      };
      const running = Promise.all(rows.clients.map(work));
      return {
        stop: async () => {
          await running;
        },
      };
    },
    unfinished: async () => {
      const lists = [waiting, ...Array.from({ length: lanes }, (_, lane) => held(lane))];
      const lengths = await Promise.all(lists.map((key) => client.llen(key)));
      return lengths.reduce((sum, length) => sum + length, await rows.count());
    },
    close: async () => {
      client.disconnect();
      await rows.close();
    },
  };
};

function sequenceOf(element: string): number {
  const { data }: { data: Payload } = JSON.parse(element);
  return data.seq;
}
