import { Problem } from "@keyline/gateway";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { parseInput } from "../../site/problem.ts";
import { longestDetails } from "../limits.ts";
import type { OrderDesk } from "./order-desk.ts";
import type { OrdersTable } from "./orders-table.ts";

const NewOrder = z.object({
  details: z
    .string()
    .max(longestDetails)
    .refine((text) => text.trim() !== "", "Must say what is ordered")
    // PostgreSQL's text cannot hold it.
    .refine((text) => !text.includes("\0"), "Must not contain the character U+0000"),
});
const largestId = 2_147_483_647;
const OrderId = z.object({
  orderId: z
    .string()
    .regex(/^\d{1,10}$/)
    .transform(Number)
    .pipe(z.int().min(1).max(largestId)),
});
const Page = z.object({
  limit: z
    .string()
    .regex(/^\d{1,3}$/)
    .transform(Number)
    .pipe(z.int().min(1).max(200))
    .default(50),
});

export function addOrderRoutes(site: FastifyInstance, { desk, table }: { readonly desk: OrderDesk; readonly table: OrdersTable }): void {
  site.post("/api/shop/orders", async (request, reply) => {
    const { details } = parseInput(`The details of an order are a text of 1 to ${longestDetails} characters`, NewOrder, request.body);
    const [orderId] = await desk.place([details]);
    return reply.code(201).header("location", `/api/shop/orders/${orderId}`).send({ orderId, status: "new" });
  });

  site.get("/api/shop/orders/:orderId", async (request) => {
    const { orderId } = parseInput("The number of an order is a positive integer", OrderId, request.params);
    const order = await table.find(orderId);
    if (!order) throw new Problem({ title: `There is no order ${orderId}`, status: 404, code: "ORDER_NOT_FOUND" });
    return order;
  });

  site.get("/api/shop/orders", async (request) => {
    const { limit } = parseInput("The limit of a list is an integer from 1 to 200", Page, request.query);
    return { orders: await table.listNewest(limit) };
  });
}
