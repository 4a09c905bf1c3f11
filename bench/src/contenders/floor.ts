// The least that a queue with held jobs can do on a list, written out by hand. Adds are variadic LPUSHes. A worker's script
// ends the jobs that it took before and takes as many again; two such loops share the connection, each with half of the
// concurrency and a held list of its own, so that server and client work at the same time. Nothing is checked, counted
// or retried, and jobs are known to end in the order in which they were taken: a library's share of this speed is what
// it leaves of the server and the client library.
import { readFile } from "node:fs/promises";
import type { Valkey } from "iovalkey";
import { inChunks, type Range } from "./in-flight.ts";
import { payloadsOf, type Payload } from "./payload.ts";
import type { OpenPlainQueue } from "./plain-queue.ts";
import { connect } from "./valkey-connection.ts";

const script = await readFile(new URL("floor.lua", import.meta.url), "utf8");

/** Elements of one LPUSH: with 50 KB and some on their way the server reads one while the client writes the next. */
const page = 250;

export const open: OpenPlainQueue = async ({ valkey, name, payloadBytes }) => {
  const producer = await connect(valkey);
  const payload = payloadsOf(payloadBytes);
  const waiting = `floor:{${name}}:waiting`;
  const held = (lane: number): string => `floor:{${name}}:held:${lane}`;
  const push = (sequence: readonly number[]): Promise<number> =>
    producer.lpush(waiting, ...sequence.map((seq) => JSON.stringify({ id: String(seq), data: payload(seq) })));
  return {
    addRange: async (range, inFlight) => {
      const lanes = Math.max(1, Math.floor(inFlight / page));
      await Promise.all(split(range, lanes).map((part) => inChunks(part, Math.min(page, inFlight), push)));
    },
    work: async (handler, concurrency) => {
      const [client, sleeper] = await Promise.all([connect(valkey), connect(valkey)]);
      const digest = String(await client.script("LOAD", script));
      let isStopping = false;
      const loop = async (lane: Lane): Promise<void> => {
        let taken: string[] = [];
        do {
          taken = await settleAndTake(client, digest, {
            ...lane,
            finished: taken.length,
            room: isStopping ? 0 : lane.room,
          });
          if (taken.length === 0 && !isStopping) taken = await waitForOne(sleeper, lane);
          for (const element of taken) void handler(sequenceOf(element));
        } while (taken.length > 0 || !isStopping);
      };
      const half = Math.floor(concurrency / 2);
      const rooms = [concurrency - half, half].filter((room) => room > 0);
      const loops = rooms.map((room, index) => loop({ waiting, held: held(index), room }));
      return {
        stop: async () => {
          isStopping = true;
          await Promise.all(loops);
          client.disconnect();
          sleeper.disconnect();
        },
      };
    },
    unfinished: async () => {
      const lengths = await Promise.all([waiting, held(0), held(1)].map((key) => producer.llen(key)));
      return lengths.reduce((sum, length) => sum + length, 0);
    },
    close: async () => producer.disconnect(),
  };
};

interface Lane {
  readonly waiting: string;
  readonly held: string;
  readonly room: number;
}

async function settleAndTake(
  client: Valkey,
  digest: string,
  { waiting, held, finished, room }: Lane & { readonly finished: number },
): Promise<string[]> {
  const taken = await client.evalsha(digest, 2, waiting, held, finished, room);
  return Array.isArray(taken) ? taken : [];
}

async function waitForOne(client: Valkey, { waiting, held }: Lane): Promise<string[]> {
  const element = await client.blmove(waiting, held, "RIGHT", "RIGHT", 0.2);
  return element === null ? [] : [element];
}

function sequenceOf(element: string): number {
  const { data }: { data: Payload } = JSON.parse(element);
  return data.seq;
}

function split({ from, to }: Range, parts: number): Range[] {
  const size = Math.ceil((to - from) / parts);
  return Array.from({ length: parts }, (_, index) => ({
    from: Math.min(to, from + index * size),
    to: Math.min(to, from + (index + 1) * size),
  }));
}
