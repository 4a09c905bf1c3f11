import { Keyline, type ProjectionHandler, type Stream } from "keyline";
import pg from "pg";
import { inChunks } from "../contenders/in-flight.ts";
import { payloadsOf, type Payload } from "../contenders/payload.ts";
import type { Task } from "../process/stage.ts";

// Counts grow: an entry that took effect twice shows, and so does one that did not.
const createTable = "CREATE TABLE totals (key integer PRIMARY KEY, entries integer NOT NULL, sum bigint NOT NULL)";
const addToTotals = `INSERT INTO totals (key, entries, sum)
  SELECT key, count(*), sum(seq) FROM unnest($1::integer[], $2::integer[]) AS page (key, seq) GROUP BY key ORDER BY key
  ON CONFLICT (key) DO UPDATE SET entries = totals.entries + excluded.entries, sum = totals.sum + excluded.sum`;
const readTotals = "SELECT key, entries, sum::float FROM totals ORDER BY key";

export interface ProjectParams {
  readonly valkey: string;
  readonly postgres: string;
  readonly isTransactional: boolean;
  readonly payloadBytes: number;
  readonly entries: number;
  readonly keys: number;
}

interface Total {
  readonly key: number;
  readonly entries: number;
  readonly sum: number;
}

/** Makes a table of a stream that is there already. Before the clock starts it makes another one, so that compiled code is measured. */
export const project: Task<ProjectParams, { readonly elapsedMs: number }, { readonly irregularity: string | undefined }> = async (
  { valkey, postgres, isTransactional, payloadBytes, entries, keys },
  stage,
) => {
  const keyline = new Keyline({ valkey, postgres });
  await keyline.migrate();
  const observer = new pg.Client(postgres);
  await observer.connect();
  await observer.query(createTable);
  const stream: Stream<Payload> | Stream<Payload, Payload, true> = isTransactional
    ? keyline.stream<Payload>("projected", { transactional: true })
    : keyline.stream<Payload>("projected");
  const payload = payloadsOf(payloadBytes);
  await inChunks({ from: 0, to: entries }, 1_000, (sequence) => stream.appendMany(sequence.map(payload)));
  const handler: ProjectionHandler<Payload> = async (tx, page) => {
    const sequence = page.map(({ data }) => data.seq);
    await tx.query(addToTotals, [sequence.map((seq) => seq % keys), sequence]);
  };
  const run = async (name: string): Promise<void> => {
    const projection = stream.project(name, handler);
    await projection.caughtUp();
    await projection.stop();
  };
  await run("lead");
  await observer.query("TRUNCATE totals");
  await observer.query("VACUUM (ANALYZE) keyline.event");
  await observer.query("CHECKPOINT");
  await stage.measure(async () => {
    const start = performance.now();
    await run("timed");
    return { elapsedMs: performance.now() - start };
  });
  const { rows } = await observer.query<Total>(readTotals);
  await observer.end();
  await keyline.close();
  return { irregularity: difference(rows, entries, keys) };
};

function difference(found: readonly Total[], entries: number, keys: number): string | undefined {
  if (found.length !== Math.min(keys, entries)) return `The table has ${found.length} rows.`;
  const wrong = found.find(({ key, entries: count, sum }) => {
    const expected = Math.ceil((entries - key) / keys);
    return count !== expected || sum !== expected * key + (keys * expected * (expected - 1)) / 2;
  });
  return wrong && `Of key ${wrong.key} the table has ${wrong.entries} entries with the sum ${wrong.sum}.`;
}
