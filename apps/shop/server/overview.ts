import { performance } from "node:perf_hooks";
import type { QueueStatus } from "keyline";
import type { OrderState, OrderView, Snapshot, StoreName } from "../snapshot.ts";
import type { Bursts } from "./bursts.ts";
import type { OrderTracks } from "./order-tracks.ts";
import type { OrdersQueue } from "./orders-queue.ts";
import type { Order, OrderNumbers, OrdersTable } from "./orders-table.ts";
import { Patience } from "./patience.ts";
import { Throughput } from "./throughput.ts";
import type { Workers } from "./workers.ts";

const listed = 8;
const nextListed = 15;
const shownDetails = 120;
// Valkey answers within a millisecond; PostgreSQL has a large table to count now and then.
const valkeyPatienceMs = 400;
const postgresPatienceMs = 4_000;

type Counts = Pick<QueueStatus, "waiting" | "running" | "scheduled" | "dead">;

interface Sources {
  readonly table: OrdersTable;
  readonly queue: OrdersQueue;
  readonly tracks: OrderTracks;
  readonly workers: Workers;
  readonly bursts: Bursts;
}

type FromPostgres = Pick<Snapshot, "totals" | "throughput" | "burst" | "next" | "orders"> & { readonly new: number };

const nothingYet: FromPostgres = {
  new: 0,
  totals: { placed: 0, processed: 0, lost: 0 },
  throughput: 0,
  burst: null,
  next: [],
  orders: [],
};

/** Puts together what the page shows. A store that does not answer is named, and its last answer stands. */
export class Overview {
  readonly #sources: Sources;
  readonly #throughput = new Throughput();
  #fromPostgres = nothingYet;
  #fromValkey: Counts = { waiting: 0, running: 0, scheduled: 0, dead: 0 };
  readonly #postgres = new Patience(postgresPatienceMs, () => this.#read());
  readonly #valkey = new Patience(valkeyPatienceMs, () => this.#countQueue());

  constructor(sources: Sources) {
    this.#sources = sources;
  }

  async take(): Promise<Snapshot> {
    const { workers, tracks } = this.#sources;
    const [postgres, valkey] = await Promise.all([this.#postgres.ask(), this.#valkey.ask()]);
    this.#fromPostgres = postgres ?? this.#fromPostgres;
    // Without Valkey nothing runs for long, and what is not processed waits in PostgreSQL.
    this.#fromValkey = valkey ?? { ...this.#fromValkey, running: 0, waiting: this.#fromPostgres.new };
    const { new: newOrders, ...shown } = this.#fromPostgres;
    const away: StoreName[] = [...(valkey ? [] : (["valkey"] as const)), ...(postgres ? [] : (["postgres"] as const))];
    return {
      at: Date.now(),
      ...shown,
      throughput: postgres ? shown.throughput : 0,
      counts: { ...this.#fromValkey, new: newOrders, processed: shown.totals.processed },
      labelMs: workers.labelMs,
      workers: workers.views(),
      finished: tracks.finished,
      away,
    };
  }

  async #read(): Promise<FromPostgres> {
    const { table, tracks, workers, bursts } = this.#sources;
    tracks.noteProcessed(await table.listProcessedOf(workers.interruptedOrders()));
    const [numbers, newest, burst] = await Promise.all([table.count(), table.listNewest(listed), bursts.view()]);
    const { placed, processed, lost } = numbers;
    return {
      new: numbers.new,
      totals: { placed, processed, lost },
      throughput: this.#throughput.measure({ at: performance.now(), processed }),
      burst,
      next: await this.#findNext(numbers),
      orders: this.#view(newest, numbers.new),
    };
  }

  async #countQueue(): Promise<Counts> {
    const { waiting, running, scheduled, dead } = await this.#sources.queue.counts();
    return { waiting, running, scheduled, dead };
  }

  async #findNext({ oldestNew }: OrderNumbers): Promise<number[]> {
    if (oldestNew === null) return [];
    const { table, tracks } = this.#sources;
    // Orders that run are new to the table too.
    const runningAtMost = 100;
    const orderIds = await table.listNew(oldestNew, nextListed + runningAtMost);
    return orderIds.filter((orderId) => tracks.holderOf(orderId) === undefined).slice(0, nextListed);
  }

  #view(newestFirst: readonly Order[], newCount: number): OrderView[] {
    let newerNew = 0;
    return newestFirst.map((order) => {
      const view = this.#viewOne(order);
      if (order.status === "new") newerNew++;
      return { ...view, ahead: view.state === "waiting" ? Math.max(0, newCount - newerNew) : null };
    });
  }

  #viewOne({ orderId, details, status }: Order): Omit<OrderView, "ahead"> {
    const track = this.#sources.tracks.find(orderId);
    const state = this.#stateOf(orderId, status);
    const { placedAt, startedAt, processedAt } = track ?? {};
    return {
      orderId,
      details: details.length > shownDetails ? `${details.slice(0, shownDetails)}…` : details,
      state,
      workerId: state === "waiting" ? null : (track?.workerId ?? null),
      attempt: track?.attempt ?? 0,
      waitedMs: placedAt !== undefined && startedAt !== undefined ? Math.max(0, startedAt - placedAt) : null,
      ranMs: startedAt !== undefined && processedAt !== undefined ? processedAt - startedAt : null,
    };
  }

  #stateOf(orderId: number, status: string): OrderState {
    const { tracks, workers } = this.#sources;
    if (status !== "new" || tracks.find(orderId)?.processedAt !== undefined) return "processed";
    const workerId = tracks.holderOf(orderId);
    if (workerId === undefined) return "waiting";
    return workers.isAlive(workerId) ? "running" : "interrupted";
  }
}
