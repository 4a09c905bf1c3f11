import { texts } from "../texts.ts";
import { ApiFailed, readFailure } from "./api-failed.ts";
import { base } from "./base.ts";
import { refuseToken } from "./access.ts";
import { noteServerTime } from "./server-clock.ts";
import { readToken } from "./session.ts";

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** `path` is that of a route below `api/`. Throws ApiFailed. */
export async function get<Answer>(path: string, query: Query = {}, signal?: AbortSignal): Promise<Answer> {
  const response = await send(addressOf(path, query), { ...(signal && { signal }) });
  return (await response.json()) as Answer;
}

/** Does something. The server asks who does it, and writes it down before it begins. */
export async function post<Answer = unknown>(path: string, body: unknown = {}): Promise<Answer> {
  const init = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const response = await send(addressOf(path), init);
  const text = await response.text();
  return (text === "" ? undefined : JSON.parse(text)) as Answer;
}

export function addressOf(path: string, query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== "") search.set(name, String(value));
  }
  return `${base}/api/${path}${search.size === 0 ? "" : `?${search.toString()}`}`;
}

export async function send(
  address: string,
  init: Omit<RequestInit, "headers"> & { readonly headers?: Readonly<Record<string, string>> },
): Promise<Response> {
  const token = readToken();
  const headers = { ...init.headers, ...(token !== undefined && { authorization: `Bearer ${token}` }) };
  let response: Response;
  try {
    response = await fetch(address, { ...init, headers, cache: "no-store" });
  } catch (error) {
    if (init.signal?.aborted === true) throw error;
    throw new ApiFailed(texts.failed.noAnswer, { status: 0, detail: texts.failed.noAnswerDetail });
  }
  noteServerTime(response.headers.get("date"));
  if (response.status === 401) refuseToken(token);
  if (!response.ok) throw await readFailure(response);
  return response;
}
