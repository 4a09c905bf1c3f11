/*
 * What the server and its worker processes tell each other, over the channel that Node opens between a process and its child.
 *
 *   server -> worker   begin      where the stores are (here and not among the arguments, which every user of the machine can read)
 *                      labelMs    how long a label takes from now on
 *                      stop       take no more orders, finish those that run, then end
 *   worker -> server   ready      it takes orders now, and tells Prometheus what it does on that port
 *                      steps      what happened to its orders, in that order, many in one message when it is busy
 *
 * The server's end of the channel closes when the server dies, however it dies: then the worker stops by itself.
 */
import { z } from "zod";

const LabelMs = z.int().min(0).max(10_000);

export const ToWorker = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("begin"),
    valkey: z.string(),
    postgres: z.string(),
    prefix: z.string(),
    concurrency: z.int().positive(),
    labelMs: LabelMs,
  }),
  z.object({ type: z.literal("labelMs"), labelMs: LabelMs }),
  z.object({ type: z.literal("stop") }),
]);
export type ToWorker = z.infer<typeof ToWorker>;

const OrderId = z.int();
/** Milliseconds since 1970. */
const At = z.number();
const OrderStep = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("started"), orderId: OrderId, attempt: z.int(), at: At }),
  z.object({ kind: z.literal("processed"), orderId: OrderId, at: At }),
  /** The attempt ended without processing the order: it goes back to the queue, or another worker has it. */
  z.object({ kind: z.literal("released"), orderId: OrderId, at: At }),
]);
export type OrderStep = z.infer<typeof OrderStep>;

export const ToServer = z.discriminatedUnion("type", [
  z.object({ type: z.literal("ready"), metricsPort: z.int().optional() }),
  z.object({ type: z.literal("steps"), steps: z.array(OrderStep) }),
]);
export type ToServer = z.infer<typeof ToServer>;
