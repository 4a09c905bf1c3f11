import { send } from "../../site/page/request.ts";

export async function placeOrder(details: string): Promise<number> {
  const { orderId }: { orderId: number } = await (await send("POST", "/api/shop/orders", { details })).json();
  return orderId;
}

export async function isOrderProcessed(orderId: number): Promise<boolean> {
  const { status }: { status: string } = await (await send("GET", `/api/shop/orders/${orderId}`)).json();
  return status === "processed";
}

export async function placeBurst(count: number): Promise<void> {
  await send("POST", "/api/shop/bursts", { count });
}

export async function startWorker(): Promise<void> {
  await send("POST", "/api/shop/workers");
}

/** Resolves when the worker has finished what it had. */
export async function stopWorker(workerId: number): Promise<void> {
  await send("DELETE", `/api/shop/workers/${workerId}`);
}

export async function killWorker(workerId: number): Promise<void> {
  await send("POST", `/api/shop/workers/${workerId}/kill`);
}

export async function setLabelTime(labelMs: number): Promise<void> {
  await send("PUT", "/api/shop/label-time", { labelMs });
}

export async function redriveDead(): Promise<void> {
  await send("POST", "/api/shop/dead-orders/redrive");
}
