import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import type { Console } from "../console.ts";
import { checkPath, isBelow, toNodeBody, toRequest, type MountOptions } from "./mounting.ts";

/** Answers a request if it is for the console; false: it is for somebody else. */
export type NodeHandler = (request: IncomingMessage, response: ServerResponse) => boolean;

/**
 * The console for a server of `node:http`.
 *
 * @example
 * const answer = mountNode(operations, { path: "/console" });
 * createServer((request, response) => void (answer(request, response) || response.writeHead(404).end()));
 */
export function mountNode(console: Console, options: MountOptions): NodeHandler {
  const path = checkPath(options.path);
  return (request, response) => {
    const url = request.url ?? "/";
    if (!isBelow(path, url)) return false;
    void answerNode(console, { path, url, request, response });
    return true;
  };
}

interface Asked {
  readonly path: string;
  readonly url: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** Answers a request with what the console says. */
export async function answerNode(console: Console, { path, url, request, response }: Asked): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  try {
    const answer = await console.fetch(toRequest(request, { url, signal: gone.signal }), {
      path,
      remoteAddress: request.socket.remoteAddress,
    });
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    // What was not read of a refused request must not be taken for the next one.
    if (!request.complete) response.shouldKeepAlive = false;
    const body = request.method === "HEAD" ? undefined : toNodeBody(answer);
    if (body) await pipeline(body, response);
    else response.end();
  } catch {
    // Whoever asked has gone, or does not read any more.
    response.destroy();
  }
}
