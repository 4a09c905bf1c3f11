/** What the page shows at one moment; the server sends one whenever something has changed. */
export interface Snapshot {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly counts: Counts;
  readonly totals: Totals;
  /** Orders processed per second, over the last two seconds. */
  readonly throughput: number;
  /** How long a worker prints one label. */
  readonly labelMs: number;
  readonly burst: BurstView | null;
  readonly workers: readonly WorkerView[];
  /** The orders that are taken next. */
  readonly next: readonly number[];
  /** The orders that were processed last, newest first. */
  readonly finished: readonly number[];
  /** The newest orders, newest first. */
  readonly orders: readonly OrderView[];
  /** Stores that did not answer: what they know is as old as their last answer. */
  readonly away: readonly StoreName[];
}

export type StoreName = "valkey" | "postgres";

/** The first four are the queue's, the last two the table's. */
interface Counts {
  readonly waiting: number;
  readonly running: number;
  readonly scheduled: number;
  readonly dead: number;
  readonly new: number;
  readonly processed: number;
}

/** All three from one SQL statement, so that they belong to the same moment. */
interface Totals {
  readonly placed: number;
  readonly processed: number;
  /** New orders for which there is no job. */
  readonly lost: number;
}

export interface BurstView {
  readonly total: number;
  readonly placed: number;
  readonly done: number;
  readonly elapsedMs: number;
  /** Why some of its orders could not be placed. */
  readonly problem: string | null;
}

/** `interrupted`: the worker that had it was killed, and its lease has not ended yet. */
export type OrderState = "waiting" | "running" | "interrupted" | "processed";

export interface OrderView {
  readonly orderId: number;
  readonly details: string;
  readonly state: OrderState;
  /** Of a waiting order: how many are taken before it. */
  readonly ahead: number | null;
  readonly workerId: number | null;
  readonly attempt: number;
  readonly waitedMs: number | null;
  readonly ranMs: number | null;
}

/** `killed` and `failed` are worker processes that are gone, shown until others have what they held. */
export type WorkerState = "starting" | "ready" | "stopping" | "killed" | "failed";

export interface WorkerView {
  readonly workerId: number;
  readonly state: WorkerState;
  /** The orders that it has now; of a killed worker, those that nobody has taken over yet. */
  readonly holds: readonly number[];
  /** How many orders it held when it was killed. */
  readonly interrupted: number;
  readonly processed: number;
}
