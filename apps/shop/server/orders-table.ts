import type { ClientBase, Pool } from "pg";
import { ordersQueueName } from "./orders-queue.ts";

export interface Order {
  readonly orderId: number;
  readonly details: string;
  readonly status: string;
}

export interface OrderNumbers {
  readonly placed: number;
  readonly new: number;
  readonly processed: number;
  readonly lost: number;
  /** The oldest order that is not processed. */
  readonly oldestNew: number | null;
}

/** Order ids from `first` to `last`. */
export interface IdRun {
  readonly first: number;
  readonly last: number;
}

// The lock: IF NOT EXISTS alone lets two processes that start at once both try, and one of them fail.
const create = `
  SELECT pg_advisory_xact_lock(7738160520);
  CREATE TABLE IF NOT EXISTS orders (order_id serial PRIMARY KEY, order_details text, status varchar(50))`;

const insertOne = "INSERT INTO orders (order_details, status) VALUES ($1, 'new') RETURNING order_id";

const insertMany = `
  INSERT INTO orders (order_details, status)
  SELECT details, 'new' FROM unnest($1::text[]) WITH ORDINALITY AS placed (details, position) ORDER BY position
  RETURNING order_id`;

const markProcessed = "UPDATE orders SET status = 'processed' WHERE order_id = $1";

const columns = `order_id AS "orderId", coalesce(order_details, '') AS details, coalesce(status, '') AS status`;
const find = `SELECT ${columns} FROM orders WHERE order_id = $1`;
const listNewest = `SELECT ${columns} FROM orders ORDER BY order_id DESC LIMIT $1`;

// One statement sees one moment: an order and its job come in one transaction and are processed and settled in one transaction,
// so a new order without a job would be a lost one.
const count = `
  SELECT count(*)::int AS placed,
    count(*) FILTER (WHERE status = 'new')::int AS new,
    count(*) FILTER (WHERE status = 'processed')::int AS processed,
    greatest(0, count(*) FILTER (WHERE status = 'new')
      - (SELECT count(*) FROM keyline.job WHERE queue = '${ordersQueueName}'))::int AS lost,
    min(order_id) FILTER (WHERE status = 'new') AS "oldestNew"
  FROM orders`;

const listNew = `SELECT order_id AS "orderId" FROM orders WHERE order_id >= $1 AND status = 'new' ORDER BY order_id LIMIT $2`;
const listProcessedOf = `SELECT order_id AS "orderId" FROM orders WHERE order_id = ANY($1) AND status = 'processed'`;
const countProcessedIn = `
  SELECT count(*)::int AS processed
  FROM unnest($1::int[], $2::int[]) AS run (first, last) JOIN orders ON order_id BETWEEN run.first AND run.last
  WHERE status = 'processed'`;

type IdRow = { readonly orderId: number };

/** The table `orders`: every statement that the shop runs on it. */
export class OrdersTable {
  readonly #pool: Pool;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  async create(): Promise<void> {
    await this.#pool.query(create);
  }

  async find(orderId: number): Promise<Order | undefined> {
    return (await this.#pool.query<Order>(find, [orderId])).rows[0];
  }

  async listNewest(limit: number): Promise<Order[]> {
    return (await this.#pool.query<Order>(listNewest, [limit])).rows;
  }

  async count(): Promise<OrderNumbers> {
    const [row] = (await this.#pool.query<OrderNumbers>(count)).rows;
    return row ?? { placed: 0, new: 0, processed: 0, lost: 0, oldestNew: null };
  }

  /** The oldest orders that are not processed. */
  async listNew(from: number, limit: number): Promise<number[]> {
    return (await this.#pool.query<IdRow>(listNew, [from, limit])).rows.map((row) => row.orderId);
  }

  /** Those of the given orders that are processed. */
  async listProcessedOf(orderIds: readonly number[]): Promise<number[]> {
    if (orderIds.length === 0) return [];
    return (await this.#pool.query<IdRow>(listProcessedOf, [orderIds])).rows.map((row) => row.orderId);
  }

  async countProcessedIn(runs: readonly IdRun[]): Promise<number> {
    const bounds = [runs.map((run) => run.first), runs.map((run) => run.last)];
    const [row] = (await this.#pool.query<{ readonly processed: number }>(countProcessedIn, bounds)).rows;
    return row?.processed ?? 0;
  }
}

/** Adds rows within the caller's transaction; returns their ids, in the order of the details. */
export async function insertOrders(tx: ClientBase, details: readonly string[]): Promise<number[]> {
  const isOne = details.length === 1;
  const { rows } = await tx.query<{ readonly order_id: number }>(isOne ? insertOne : insertMany, isOne ? [details[0]] : [details]);
  return rows.map((row) => row.order_id).sort((a, b) => a - b);
}

export async function markOrderProcessed(tx: ClientBase, orderId: number): Promise<void> {
  await tx.query(markProcessed, [orderId]);
}
