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
export async function send(method: Method, path: string, body?: object): Promise<Response> {
  const response = await ask(method, path, body);
  if (!response.ok) throw await readProblem(response);
  return response;
}

async function ask(method: Method, path: string, body: object | undefined): Promise<Response> {
  try {
    return await fetch(path, {
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
