import type { Keyline, Queue } from "keyline";
import { z } from "zod";

export const ordersQueueName = "orders";

/** Short, so that one does not wait long to see a killed worker's orders go back. */
const leaseMs = 3_000;

const OrderJob = z.object({ orderId: z.int().positive() });
export type OrderJob = z.infer<typeof OrderJob>;

export type OrdersQueue = Queue<OrderJob, OrderJob, true>;

/** The queue as both sides see it: the server that adds and the workers that take. */
export function openOrdersQueue(keyline: Keyline): OrdersQueue {
  return keyline.queue(ordersQueueName, { schema: OrderJob, transactional: true, lease: leaseMs });
}
