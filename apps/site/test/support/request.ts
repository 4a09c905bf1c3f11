import { expect } from "vitest";

export interface Answer {
  readonly status: number;
  readonly type: string | null;
  readonly body: unknown;
}

interface Question {
  readonly method: string;
  readonly body?: unknown;
  readonly token?: string | undefined;
}

/** One request; a body that is a text is sent as it is, anything else as JSON. */
export async function request(url: string, { method, body, token }: Question): Promise<Answer> {
  const isText = typeof body === "string";
  const response = await fetch(url, {
    method,
    redirect: "manual",
    headers: {
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    ...(body === undefined ? {} : { body: isText ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const type = response.headers.get("content-type");
  return { status: response.status, type, body: type?.includes("json") ? JSON.parse(text) : text };
}

/** What an answer is that is an error. */
export function problem(status: number, code: string): object {
  return {
    status,
    type: "application/problem+json; charset=utf-8",
    body: expect.objectContaining({ status, code, title: expect.any(String) }),
  };
}
