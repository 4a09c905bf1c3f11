import type { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import type { Console } from "../console.ts";
import { checkPath, toNodeBody, toRequest, type MountOptions } from "./mounting.ts";

interface RequestLike {
  readonly raw: IncomingMessage;
  readonly originalUrl: string;
}

interface ReplyLike {
  readonly raw: { once(event: "close", listener: () => void): unknown };
  code(status: number): ReplyLike;
  headers(headers: Record<string, string>): ReplyLike;
  send(body?: Readable | string): ReplyLike;
}

/** A Fastify instance. Its overloads take more than can be said here without its types, which nobody needs who uses another server. */
interface FastifyLike {
  register(plugin: never): unknown;
  addHook(name: never, hook: never): unknown;
}

type Register = (plugin: (scope: ScopeLike) => Promise<void>) => PromiseLike<unknown>;
type AddHook = (name: "preClose", hook: (done: () => void) => void) => unknown;

interface ScopeLike {
  readonly prefix: string;
  removeAllContentTypeParsers(): unknown;
  addContentTypeParser(type: string, parse: (request: unknown, payload: unknown, done: (error: null) => void) => void): unknown;
  all(path: string, handler: (request: RequestLike, reply: ReplyLike) => Promise<ReplyLike>): unknown;
}

/**
 * Mounts the console on a Fastify instance; it is closed with it, as its open event streams would keep the server from closing.
 *
 * @example
 * await mountFastify(app, operations, { path: "/console" });
 */
export async function mountFastify(app: FastifyLike, console: Console, options: MountOptions): Promise<void> {
  const path = checkPath(options.path);
  const addHook = app.addHook.bind(app) as unknown as AddHook;
  const register = app.register.bind(app) as unknown as Register;
  addHook("preClose", (done) => {
    void console.close();
    done();
  });
  // In a scope of its own, as it reads what is sent itself.
  await register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser("*", (_request, _payload, done) => done(null));
    const base = scope.prefix + path;
    const answer = (request: RequestLike, reply: ReplyLike): Promise<ReplyLike> => answerFastify(console, base, { request, reply });
    scope.all(path, answer);
    scope.all(`${path}/*`, answer);
  });
}

async function answerFastify(
  console: Console,
  path: string,
  { request, reply }: { readonly request: RequestLike; readonly reply: ReplyLike },
): Promise<ReplyLike> {
  const gone = new AbortController();
  reply.raw.once("close", () => gone.abort());
  const { raw, originalUrl } = request;
  const answer = await console.fetch(toRequest(raw, { url: originalUrl, signal: gone.signal }), {
    path,
    remoteAddress: raw.socket.remoteAddress,
  });
  // What was not read of a refused request must not be taken for the next one, nor keep the server from closing.
  if (!raw.complete) reply.headers({ connection: "close" });
  return reply.code(answer.status).headers(Object.fromEntries(answer.headers)).send(toNodeBody(answer));
}
