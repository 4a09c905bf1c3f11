/** An answer that is no success, or none at all. Its message is fit to be shown. */
export class RequestFailed extends Error {
  override readonly name = "RequestFailed";
  readonly detail: string | undefined;

  constructor(title: string, detail?: string) {
    super(title);
    this.detail = detail;
  }
}

type Method = "GET" | "POST" | "PUT" | "DELETE";

/** Throws RequestFailed with the title of the server's problem. */
async function send(method: Method, path: string, body?: object): Promise<Response> {
  const response = await ask(method, path, body);
  if (!response.ok) throw await readProblem(response);
  return response;
}

async function ask(method: Method, path: string, body: object | undefined): Promise<Response> {
  try {
    return await fetch(`/api/shop/${path}`, {
      method,
      ...(body ? { headers: { "content-type": "application/json" }, body: JSON.stringify(body) } : {}),
    });
  } catch {
    throw new RequestFailed("The server does not answer", "Nothing was changed. Try again when the page is connected.");
  }
}

async function readProblem(response: Response): Promise<RequestFailed> {
  const problem: unknown = await response.json().catch(() => undefined);
  const title = textOf(problem, "title") ?? `The server answered ${response.status}`;
  return new RequestFailed(title, textOf(problem, "detail"));
}

function textOf(value: unknown, name: string): string | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const found: unknown = Reflect.get(value, name);
  return typeof found === "string" ? found : undefined;
}

export async function placeOrder(details: string): Promise<number> {
  const { orderId }: { orderId: number } = await (await send("POST", "orders", { details })).json();
  return orderId;
}

export async function isOrderProcessed(orderId: number): Promise<boolean> {
  const { status }: { status: string } = await (await send("GET", `orders/${orderId}`)).json();
  return status === "processed";
}

export async function placeBurst(count: number): Promise<void> {
  await send("POST", "bursts", { count });
}

export async function startWorker(): Promise<void> {
  await send("POST", "workers");
}

/** Resolves when the worker has finished what it had. */
export async function stopWorker(workerId: number): Promise<void> {
  await send("DELETE", `workers/${workerId}`);
}

export async function killWorker(workerId: number): Promise<void> {
  await send("POST", `workers/${workerId}/kill`);
}

export async function setLabelTime(labelMs: number): Promise<void> {
  await send("PUT", "label-time", { labelMs });
}

export async function redriveDead(): Promise<void> {
  await send("POST", "dead-orders/redrive");
}
