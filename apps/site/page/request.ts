/** An answer that is no success, or none at all. Its message is fit to be shown. */
export class RequestFailed extends Error {
  override readonly name = "RequestFailed";
  readonly detail: string | undefined;
  /** The problem's; undefined when there was no answer. */
  readonly code: string | undefined;

  constructor(title: string, { detail, code }: { readonly detail?: string | undefined; readonly code?: string | undefined } = {}) {
    super(title);
    this.detail = detail;
    this.code = code;
  }
}

type Method = "GET" | "POST" | "PUT" | "DELETE";

/** Throws RequestFailed with the title of the server's problem. */
export async function send(method: Method, path: string, body?: object, token?: string): Promise<Response> {
  const response = await ask(method, path, { body, token });
  if (!response.ok) throw await readProblem(response);
  return response;
}

interface Sent {
  readonly body: object | undefined;
  readonly token: string | undefined;
}

async function ask(method: Method, path: string, { body, token }: Sent): Promise<Response> {
  try {
    return await fetch(path, {
      method,
      headers: {
        ...(body ? { "content-type": "application/json" } : {}),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
  } catch {
    throw new RequestFailed("The server does not answer", { detail: "Nothing was changed. Try again when the page is connected." });
  }
}

async function readProblem(response: Response): Promise<RequestFailed> {
  const problem: unknown = await response.json().catch(() => undefined);
  const title = textOf(problem, "title") ?? `The server answered ${response.status}`;
  return new RequestFailed(title, { detail: textOf(problem, "detail"), code: textOf(problem, "code") });
}

function textOf(value: unknown, name: string): string | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const found: unknown = Reflect.get(value, name);
  return typeof found === "string" ? found : undefined;
}
