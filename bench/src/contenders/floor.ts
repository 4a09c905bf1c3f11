// The least that a queue with held jobs can do on a list, written out by hand: one variadic LPUSH for what is added at
// once, and one script that ends what is finished and takes as much again. Two of these scripts are under way, each with
// half of the concurrency, so that server and client work at the same time. Nothing is checked, counted or retried; a
// library's share of this speed is what it leaves of the server and the client library.
import { readFile } from "node:fs/promises";
import type { Valkey } from "iovalkey";
import { connect } from "./valkey-connection.ts";
import { inChunks } from "./in-flight.ts";
import { payloadsOf, type Payload } from "./payload.ts";
import type { OpenPlainQueue } from "./plain-queue.ts";

const script = await readFile(new URL("floor.lua", import.meta.url), "utf8");

export const open: OpenPlainQueue = async ({ valkey, name, payloadBytes }) => {
  const producer = await connect(valkey);
  const payload = payloadsOf(payloadBytes);
  const waiting = `floor:{${name}}:waiting`;
  const held = `floor:{${name}}:held`;
  return {
    addRange: (range, inFlight) =>
      inChunks(range, inFlight, (sequence) =>
        producer.lpush(waiting, ...sequence.map((seq) => JSON.stringify({ id: String(seq), data: payload(seq) }))),
      ),
    work: async (handler, concurrency) => {
      const [client, sleeper] = await Promise.all([connect(valkey), connect(valkey)]);
      const digest = String(await client.script("LOAD", script));
      let isStopping = false;
      const loop = async (share: number): Promise<void> => {
        let taken: string[] = [];
        do {
          const room = isStopping ? 0 : share;
          taken = await settleAndTake(client, digest, { waiting, held, room, finished: taken });
          if (taken.length === 0 && !isStopping) taken = await waitForOne(sleeper, waiting, held);
          for (const element of taken) handler(sequenceOf(element));
        } while (taken.length > 0 || !isStopping);
      };
      const half = Math.floor(concurrency / 2);
      const loops = [loop(concurrency - half), ...(half > 0 ? [loop(half)] : [])];
      return {
        stop: async () => {
          isStopping = true;
          await Promise.all(loops);
          client.disconnect();
          sleeper.disconnect();
        },
      };
    },
    unfinished: async () => (await producer.llen(waiting)) + (await producer.llen(held)),
    close: async () => producer.disconnect(),
  };
};

interface Turn {
  readonly waiting: string;
  readonly held: string;
  readonly room: number;
  readonly finished: readonly string[];
}

async function settleAndTake(
  client: Valkey,
  digest: string,
  { waiting, held, room, finished }: Turn,
): Promise<string[]> {
  const taken = await client.evalsha(digest, 2, waiting, held, room, ...finished);
  return Array.isArray(taken) ? taken.map(String) : [];
}

async function waitForOne(client: Valkey, waiting: string, held: string): Promise<string[]> {
  const element = await client.blmove(waiting, held, "RIGHT", "LEFT", 0.2);
  return element === null ? [] : [element];
}

function sequenceOf(element: string): number {
  const { data }: { data: Payload } = JSON.parse(element);
  return data.seq;
}
