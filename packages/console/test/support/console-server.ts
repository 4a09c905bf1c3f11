import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { SignJWT, type JWTPayload } from "jose";
import { createConsole, mountNode, type Console, type ConsoleOptions } from "../../src/index.ts";

export const secret = "a secret of the tests, which is long enough";

/** A console on a free port of loopback, which asks for tokens of the tests' issuer. */
export interface ConsoleServer {
  readonly console: Console;
  readonly server: Server;
  /** With its path. */
  readonly url: string;
  get(path: string, init?: Sending): Promise<Answer>;
  post(path: string, body?: unknown, init?: Sending): Promise<Answer>;
  close(): Promise<void>;
}

interface Sending {
  readonly token?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What tests look at by name; the rest is checked by schemas. */
interface AnswerBody {
  readonly status?: number;
  readonly detail?: string;
  readonly redacted?: readonly string[];
  readonly expiresAt?: number;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** What is in it, if that is JSON. */
  readonly body: AnswerBody;
}

export async function openConsole(
  options: Omit<ConsoleOptions, "access"> & Partial<ConsoleOptions>,
  path = "/console",
): Promise<ConsoleServer> {
  const console = createConsole({ access: { secret }, ...options });
  const answer = mountNode(console, { path });
  const server = createServer((request, response) => void (answer(request, response) || response.writeHead(404).end()));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
  const operator = await signToken({ console: "operator" });
  const headersOf = ({ token = operator, headers = {} }: Sending): Record<string, string> => ({
    authorization: `Bearer ${token}`,
    ...headers,
  });
  return {
    console,
    server,
    url,
    get: async (path, init = {}) => toAnswer(await fetch(`${url}/${path}`, { headers: headersOf(init) })),
    post: async (path, body = {}, init = {}) => {
      const headers = { "content-type": "application/json", ...headersOf(init) };
      return toAnswer(await fetch(`${url}/${path}`, { method: "POST", headers, body: JSON.stringify(body) }));
    },
    close: async () => {
      await console.close();
      server.closeAllConnections();
      server.close();
    },
  };
}

/** A token of the tests' issuer; it lives for ten minutes unless `exp` says otherwise. */
export function signToken(claims: JWTPayload & { readonly console?: string }, key = secret): Promise<string> {
  const now = Math.floor(Date.now() / 1_000);
  return new SignJWT({ sub: "ada", iat: now, exp: now + 600, ...claims })
    .setProtectedHeader({ alg: "HS256" })
    .sign(new TextEncoder().encode(key));
}

async function toAnswer(response: Response): Promise<Answer> {
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.includes("json") ?? false;
  return { status: response.status, headers: response.headers, text, body: isJson ? JSON.parse(text) : undefined };
}
