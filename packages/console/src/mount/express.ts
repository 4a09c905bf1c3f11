import type { IncomingMessage, ServerResponse } from "node:http";
import type { Console } from "../console.ts";
import { checkPath, type MountOptions } from "./mounting.ts";
import { answerNode } from "./node.ts";

/** What is used of an Express application or router. */
interface ExpressLike {
  use(
    path: string,
    handler: (request: IncomingMessage & { readonly originalUrl: string; readonly baseUrl: string }, response: ServerResponse) => void,
  ): unknown;
}

/**
 * Mounts the console on an Express 5 application or router. Mount it before `express.json()`, which would read what is the console's.
 *
 * @example
 * mountExpress(app, operations, { path: "/console" });
 */
export function mountExpress(app: ExpressLike, console: Console, options: MountOptions): void {
  app.use(checkPath(options.path), (request, response) => {
    // On a router its own path is in front.
    void answerNode(console, { path: request.baseUrl, url: request.originalUrl, request, response });
  });
}
