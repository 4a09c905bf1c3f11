import { randomUUID } from "node:crypto";
import { SignJWT, type JWTPayload } from "jose";
import { startGateway, type StandaloneGateway, type StandaloneOptions } from "../../src/index.ts";

export const secret = "a secret of the tests, which is long enough";

/** A gateway with a key, on a free port of loopback, that leaves signals alone. */
export function openGateway(options: StandaloneOptions): Promise<StandaloneGateway> {
  return startGateway({ port: 0, closeOn: [], access: { secret }, ...options });
}

/** A token of the tests' issuer; it lives for a minute unless `exp` says otherwise. */
export function signToken(claims: JWTPayload = {}, key = secret): Promise<string> {
  const now = Math.floor(Date.now() / 1_000);
  return new SignJWT({ sub: "ada", jti: randomUUID(), iat: now, exp: now + 60, ...claims })
    .setProtectedHeader({ alg: "HS256" })
    .sign(new TextEncoder().encode(key));
}

export const bearer = (token: string): { readonly authorization: string } => ({ authorization: `Bearer ${token}` });

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Readonly<Record<string, unknown>>;
}

/** One request with a JSON body, or a text that is sent as it is. */
export async function request(
  url: string,
  init: { method?: string; headers?: Record<string, string>; body?: unknown } = {},
): Promise<Answer> {
  const { method = init.body === undefined ? "GET" : "POST", headers = {}, body } = init;
  const response = await fetch(url, {
    method,
    headers: body === undefined ? headers : { "content-type": "application/json", ...headers },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: text.startsWith("{") ? (JSON.parse(text) as Answer["body"]) : { text },
  };
}
