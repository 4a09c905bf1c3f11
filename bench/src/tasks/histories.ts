import { setTimeout as pause } from "node:timers/promises";
import { Keyline, type Stream } from "keyline";
import pg from "pg";
import { inChunks } from "../contenders/in-flight.ts";
import { payloadsOf, type Payload } from "../contenders/payload.ts";
import { oneByOne } from "../process/headway.ts";
import type { Task } from "../process/stage.ts";

const untilIdleMs = 500;
const page = 1_000;

export interface HistoriesParams {
  readonly valkey: string;
  /** Without it the streams are plain. */
  readonly postgres?: string;
  readonly payloadBytes: number;
  /** Entries of each stream. */
  readonly sizes: readonly number[];
  /** Entries of each key, which lie evenly all over the stream. */
  readonly perKey: number;
  /** Histories that are asked of each stream. */
  readonly queries: number;
  readonly lead: number;
}

export interface Histories {
  /** By stream. */
  readonly latenciesMs: readonly (readonly number[])[];
}

/** One stream of each size. In turns each is asked for the history of one of its keys; that is all that differs. */
export const histories: Task<HistoriesParams, Histories, { readonly irregularity: string | undefined }> = async (params, stage) => {
  const { valkey, postgres, sizes, queries, lead } = params;
  const keyline = new Keyline(postgres === undefined ? { valkey } : { valkey, postgres });
  if (postgres !== undefined) await keyline.migrate();
  const streams: KeyedStream[] = [];
  for (const size of sizes) streams.push(await KeyedStream.filled(keyline, size, params));
  if (postgres !== undefined) await settle(postgres);
  await pause(untilIdleMs);
  const alternate = async (times: number): Promise<Histories> => {
    const latenciesMs: number[][] = streams.map(() => []);
    await oneByOne(times, "histories of each stream were read", async () => {
      for (const [index, stream] of streams.entries()) latenciesMs[index]?.push(await stream.ask());
    });
    return { latenciesMs };
  };
  await alternate(lead);
  await stage.measure(() => alternate(queries));
  await keyline.close();
  return { irregularity: streams.map((stream) => stream.irregularity).find((found) => found !== undefined) };
};

/** What the server would do by and by, so that it does not do it while the clock runs. */
async function settle(postgres: string): Promise<void> {
  const client = new pg.Client(postgres);
  await client.connect();
  await client.query("VACUUM (ANALYZE) keyline.event");
  await client.query("CHECKPOINT");
  await client.end();
}

type AnyStream = Stream<Payload> | Stream<Payload, Payload, true>;

class KeyedStream {
  readonly #stream: AnyStream;
  readonly #size: number;
  readonly #keys: number;
  irregularity: string | undefined;

  private constructor(stream: AnyStream, size: number, keys: number) {
    this.#stream = stream;
    this.#size = size;
    this.#keys = keys;
  }

  static async filled(keyline: Keyline, size: number, { postgres, payloadBytes, perKey }: HistoriesParams): Promise<KeyedStream> {
    const keys = Math.ceil(size / perKey);
    const key = ({ seq }: Payload): string => `key-${seq % keys}`;
    const stream =
      postgres === undefined
        ? keyline.stream<Payload>(`history-${size}`, { key })
        : keyline.stream<Payload>(`history-${size}`, { key, transactional: true });
    const payload = payloadsOf(payloadBytes);
    await inChunks({ from: 0, to: size }, page, (sequence) => stream.appendMany(sequence.map(payload)));
    return new KeyedStream(stream, size, keys);
  }

  /** Asks for the history of any of the keys, and returns how long it took. */
  async ask(): Promise<number> {
    const key = Math.floor(Math.random() * this.#keys);
    const start = performance.now();
    const entries = await this.#stream.history(`key-${key}`);
    const elapsedMs = performance.now() - start;
    const expected = Math.ceil((this.#size - key) / this.#keys);
    if (entries.length !== expected || entries.some(({ data }, index) => data.seq !== key + index * this.#keys)) {
      this.irregularity ??= `Of ${this.#size} entries, ${entries.length} came for key ${key} instead of ${expected}, or others than its own.`;
    }
    return elapsedMs;
  }
}
