import type { OrderStep } from "./worker-protocol.ts";

/** What this server has seen of one order. Times are milliseconds since 1970. */
export interface OrderTrack {
  placedAt?: number;
  startedAt?: number;
  processedAt?: number;
  workerId?: number;
  attempt: number;
}

// A burst of the largest size stays complete while it is under way; of what is processed only the list of latest orders wants to know.
const largest = 20_000;
const processedKept = 500;
const finishedKept = 15;

/**
 * Follows orders by what their workers report. The table is the truth about what is processed; this knows who has an order at
 * this moment and how long each step took, for the orders of this server's life.
 */
export class OrderTracks {
  readonly #tracks = new Map<number, OrderTrack>();
  readonly #holders = new Map<number, number>();
  readonly #held = new Map<number, Set<number>>();
  /** Of orders that were processed, the earliest first. */
  readonly #processed = new Set<number>();
  #finished: number[] = [];

  /** The orders that were processed last, newest first. */
  get finished(): readonly number[] {
    return this.#finished;
  }

  /** The worker that has the order now, or had it when it was killed. */
  holderOf(orderId: number): number | undefined {
    return this.#holders.get(orderId);
  }

  heldBy(workerId: number): readonly number[] {
    return [...(this.#held.get(workerId) ?? [])];
  }

  find(orderId: number): OrderTrack | undefined {
    return this.#tracks.get(orderId);
  }

  notePlaced(orderIds: readonly number[]): void {
    const placedAt = Date.now();
    for (const orderId of orderIds) this.#trackOf(orderId).placedAt = placedAt;
  }

  noteStep(workerId: number, step: OrderStep): void {
    const { orderId, at } = step;
    switch (step.kind) {
      case "started":
        this.#hold(workerId, orderId);
        this.#noteStart(orderId, { workerId, startedAt: at, attempt: step.attempt });
        return;
      case "processed":
        this.#release(orderId);
        this.#trackOf(orderId).processedAt = at;
        this.#keepProcessed(orderId);
        this.#finished = [orderId, ...this.#finished].slice(0, finishedKept);
        return;
      case "released":
        // Somebody else may have it by now.
        if (this.#holders.get(orderId) === workerId) this.#release(orderId);
    }
  }

  /** The table says that they are processed, and their workers did not live to report it. */
  noteProcessed(orderIds: readonly number[]): void {
    for (const orderId of orderIds) this.#release(orderId);
  }

  /** Forgets who had the orders of a worker that gave all of them back. */
  releaseAllOf(workerId: number): void {
    for (const orderId of this.heldBy(workerId)) this.#release(orderId);
  }

  #noteStart(orderId: number, start: Pick<OrderTrack, "workerId" | "startedAt" | "attempt">): void {
    const track = this.#trackOf(orderId);
    // A job may come twice; the second time there is nothing left to do.
    if (track.processedAt === undefined) Object.assign(track, start);
  }

  #hold(workerId: number, orderId: number): void {
    this.#release(orderId);
    this.#holders.set(orderId, workerId);
    const held = this.#held.get(workerId) ?? new Set();
    this.#held.set(workerId, held.add(orderId));
  }

  #release(orderId: number): void {
    const holder = this.#holders.get(orderId);
    if (holder === undefined) return;
    this.#holders.delete(orderId);
    const held = this.#held.get(holder);
    held?.delete(orderId);
    if (held?.size === 0) this.#held.delete(holder);
  }

  #trackOf(orderId: number): OrderTrack {
    const known = this.#tracks.get(orderId);
    if (known) return known;
    const track: OrderTrack = { attempt: 0 };
    this.#tracks.set(orderId, track);
    if (this.#tracks.size > largest) this.#forgetOldest();
    return track;
  }

  #keepProcessed(orderId: number): void {
    this.#processed.add(orderId);
    if (this.#processed.size <= processedKept) return;
    const [earliest] = this.#processed;
    if (earliest === undefined) return;
    this.#processed.delete(earliest);
    this.#tracks.delete(earliest);
  }

  #forgetOldest(): void {
    for (const orderId of this.#tracks.keys()) {
      this.#tracks.delete(orderId);
      return;
    }
  }
}
