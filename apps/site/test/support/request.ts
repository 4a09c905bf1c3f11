export interface Answer {
  readonly status: number;
  readonly type: string | null;
  readonly body: unknown;
}

/** One request; a body that is a text is sent as it is, anything else as JSON. */
export async function request(url: string, { method, body }: { readonly method: string; readonly body?: unknown }): Promise<Answer> {
  const isText = typeof body === "string";
  const response = await fetch(url, {
    method,
    redirect: "manual",
    ...(body === undefined ? {} : { headers: { "content-type": "application/json" }, body: isText ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const type = response.headers.get("content-type");
  return { status: response.status, type, body: type?.includes("json") ? JSON.parse(text) : text };
}
