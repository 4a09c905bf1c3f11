import type { Keyline } from "keyline";
import type { OrdersQueue } from "./orders-queue.ts";
import { insertOrders } from "./orders-table.ts";

export type PlacedListener = (orderIds: readonly number[]) => void;

/** Takes orders: each is a row and a job, and both come with one commit or neither does. */
export class OrderDesk {
  readonly #keyline: Keyline;
  readonly #queue: OrdersQueue;
  readonly #onPlaced: PlacedListener;

  constructor(keyline: Keyline, queue: OrdersQueue, onPlaced: PlacedListener) {
    this.#keyline = keyline;
    this.#queue = queue;
    this.#onPlaced = onPlaced;
  }

  /** Returns the ids of the new orders, in the order of the details. */
  async place(details: readonly string[]): Promise<number[]> {
    const orderIds = await this.#keyline.transaction(async (tx) => {
      const ids = await insertOrders(tx, details);
      await this.#queue.addMany(
        ids.map((orderId) => ({ data: { orderId } })),
        { tx },
      );
      return ids;
    });
    this.#onPlaced(orderIds);
    return orderIds;
  }
}
