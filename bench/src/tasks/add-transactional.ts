import { Keyline } from "keyline";
import pg from "pg";
import { inChunks, keepInFlight } from "../contenders/in-flight.ts";
import { payloadsOf, type Payload } from "../contenders/payload.ts";
import type { Task } from "../process/stage.ts";
import { Ledger } from "./ledger.ts";

const createOrders = "CREATE TABLE orders (order_id serial PRIMARY KEY, seq integer NOT NULL)";
const insertOrder = "INSERT INTO orders (seq) VALUES ($1)";
const insertOrders = "INSERT INTO orders (seq) SELECT unnest($1::integer[])";
const countOrders = "SELECT count(*)::integer AS total, count(DISTINCT seq)::integer AS distinct FROM orders";

export interface AddTransactionalParams {
  readonly valkey: string;
  readonly postgres: string;
  readonly payloadBytes: number;
  /** How many jobs in transactions of one order, and how many in transactions of `batch` orders. */
  readonly single: number;
  readonly batched: number;
  readonly batch: number;
}

export interface AddedTransactional {
  readonly singleMs: number;
  readonly batchedMs: number;
}

/** Commits orders and their jobs together, 20 transactions at a time; then lets a worker deliver all of them. */
export const addTransactional: Task<
  AddTransactionalParams,
  AddedTransactional,
  { readonly orders: number; readonly distinctOrders: number; readonly delivered: number; readonly repeated: number }
> = async ({ valkey, postgres, payloadBytes, single, batched, batch }, stage) => {
  const keyline = new Keyline({ valkey, postgres });
  await keyline.migrate();
  const observer = new pg.Client(postgres);
  await observer.connect();
  await observer.query(createOrders);
  const queue = keyline.queue<Payload>("orders", { transactional: true });
  const payload = payloadsOf(payloadBytes);
  const addOne = (seq: number): Promise<void> =>
    keyline.transaction(async (tx) => {
      await tx.query(insertOrder, [seq]);
      await queue.add(payload(seq), { tx });
    });
  const addMany = (sequence: readonly number[]): Promise<void> =>
    keyline.transaction(async (tx) => {
      await tx.query(insertOrders, [sequence]);
      await queue.addMany(
        sequence.map((seq) => ({ data: payload(seq) })),
        { tx },
      );
    });
  await stage.measure(async () => {
    const start = performance.now();
    await keepInFlight({ from: 0, to: single }, 20, addOne);
    const between = performance.now();
    await inChunks({ from: single, to: single + batched }, batch, addMany);
    return { singleMs: between - start, batchedMs: performance.now() - between };
  });
  const ledger = new Ledger(0, single + batched);
  const worker = queue.work(async (job) => ledger.record(job.data.seq), { concurrency: 50 });
  await ledger.reach(single + batched);
  await worker.stop();
  const { rows } = await observer.query<{ total: number; distinct: number }>(countOrders);
  await observer.end();
  await keyline.close();
  return {
    orders: rows[0]?.total ?? 0,
    distinctOrders: rows[0]?.distinct ?? 0,
    delivered: ledger.distinct,
    repeated: ledger.repeated,
  };
};
