import { products } from "../products.ts";
import type { BurstView } from "../snapshot.ts";
import type { OrderDesk } from "./order-desk.ts";
import type { IdRun, OrdersTable } from "./orders-table.ts";

const ordersPerTransaction = 500;

/** A burst that begins before the one before it is drained is one with it: the bar then shows both. */
interface Burst {
  total: number;
  placed: number;
  done: number;
  problem: string | null;
  readonly runs: IdRun[];
  readonly startedAt: number;
  endedAt: number | undefined;
}

/** Places many orders at once, in the background, and tells how far they have come. */
export class Bursts {
  readonly #desk: OrderDesk;
  readonly #table: OrdersTable;
  #burst: Burst | undefined;
  #placing: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(desk: OrderDesk, table: OrdersTable) {
    this.#desk = desk;
    this.#table = table;
  }

  /** How many orders are accepted but not placed yet. */
  get backlog(): number {
    return this.#burst ? this.#burst.total - this.#burst.placed : 0;
  }

  start(count: number): void {
    const burst = this.#burst && this.#burst.endedAt === undefined ? this.#burst : newBurst();
    this.#burst = burst;
    burst.total += count;
    this.#placing = this.#placing.then(() => this.#place(burst, count));
  }

  async view(): Promise<BurstView | null> {
    const burst = this.#burst;
    if (!burst) return null;
    if (burst.endedAt === undefined) {
      burst.done = await this.#table.countProcessedIn(burst.runs);
      if (burst.done === burst.total) burst.endedAt = performance.now();
    }
    const { total, placed, done, problem, startedAt, endedAt = performance.now() } = burst;
    return { total, placed, done, problem, elapsedMs: Math.round(endedAt - startedAt) };
  }

  /** What is not placed yet is not placed any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#placing;
  }

  async #place(burst: Burst, count: number): Promise<void> {
    let left = count;
    try {
      while (left > 0 && !this.#isStopped) {
        const size = Math.min(left, ordersPerTransaction);
        const details = Array.from({ length: size }, (_, index) => products[(burst.placed + index) % products.length] ?? "");
        burst.runs.push(...toRuns(await this.#desk.place(details)));
        burst.placed += size;
        left -= size;
      }
    } catch (error) {
      // The answer 202 was sent long ago; the page shows it beside the bar.
      burst.problem = `${left} orders were not placed: ${error instanceof Error ? error.message : String(error)}`;
    }
    burst.total -= left;
  }
}

function newBurst(): Burst {
  return { total: 0, placed: 0, done: 0, problem: null, runs: [], startedAt: performance.now(), endedAt: undefined };
}

/** Ascending ids as runs without holes: other orders may have been placed in between. */
function toRuns(orderIds: readonly number[]): IdRun[] {
  const runs: { first: number; last: number }[] = [];
  for (const id of orderIds) {
    const run = runs.at(-1);
    if (run && run.last === id - 1) run.last = id;
    else runs.push({ first: id, last: id });
  }
  return runs;
}
