import { Access } from "./access/access.ts";
import { refuseCrossSite } from "./access/same-origin.ts";
import type { Visitor } from "./access/visitor.ts";
import type { ConsoleOptions } from "./console-options.ts";
import { createDesk } from "./create-desk.ts";
import type { Desk } from "./desk.ts";
import { failureAnswer, jsonAnswer } from "./http/answers.ts";
import { readJson } from "./http/json-body.ts";
import { builtPage, PageFiles } from "./http/page-files.ts";
import { Refusal, toFailure } from "./http/refusal.ts";
import { Router } from "./http/router.ts";
import { checkPath, isBelow } from "./mount/mounting.ts";
import { allRoutes } from "./routes.ts";

export interface RequestContext {
  /** Where the console is mounted. Default: the option `path`. */
  readonly path?: string;
  /** The address that the request came from: who is on this machine is told by it alone. */
  readonly remoteAddress?: string | undefined;
}

/** The console: a function from requests to answers, whatever server it is in. */
export interface Console {
  /** Answers a request. Never rejects. */
  fetch(request: Request, context?: RequestContext): Promise<Response>;
  /** Ends the open event streams, and stops what operators have begun. */
  close(): Promise<void>;
}

interface Parts {
  readonly access: Access;
  readonly desk: Desk;
  readonly router: Router;
  readonly pages: PageFiles;
  readonly path: string;
}

/**
 * Makes a console. Throws for options that are not valid.
 *
 * @example
 * const operations = createConsole({ keyline, access: { secret: process.env.CONSOLE_SECRET }, redact: ["email", "customer.*"] });
 */
export function createConsole(options: ConsoleOptions): Console {
  const desk = createDesk(options);
  const parts: Parts = {
    access: new Access(options.access),
    desk,
    router: new Router(allRoutes(desk)),
    pages: new PageFiles(options.pageFolder ?? builtPage),
    path: checkPath(options.path ?? "/console"),
  };
  return {
    fetch: (request, context = {}) => answer(parts, request, context),
    close: async () => {
      desk.live.close();
      await desk.tasks.close();
    },
  };
}

async function answer(parts: Parts, request: Request, { path = parts.path, remoteAddress }: RequestContext): Promise<Response> {
  try {
    parts.access.checkPlace(request, remoteAddress);
    const { pathname } = new URL(request.url);
    if (!isBelow(path, pathname)) throw new Refusal({ status: 404, code: "NOT_FOUND", title: "There is nothing at this address" });
    const rest = pathname.slice(path.length + 1);
    if (rest === "api" || rest.startsWith("api/")) return await answerApi(parts, request, rest.slice("api/".length));
    return answerPage(parts, request, { rest, base: path });
  } catch (error) {
    const failure = toFailure(error, (text) => parts.desk.redactor.text(text));
    if (failure.status === 500)
      parts.desk.logError(error, "a request failed", { method: request.method, path: new URL(request.url).pathname });
    return failureAnswer(failure);
  }
}

function answerPage({ pages }: Parts, request: Request, { rest, base }: { readonly rest: string; readonly base: string }): Response {
  if (request.method !== "GET" && request.method !== "HEAD") {
    throw new Refusal({ status: 405, code: "METHOD_NOT_ALLOWED", title: `This address does not take ${request.method}` });
  }
  const page = pages.answer(rest, base);
  if (page) return page;
  throw new Refusal({ status: 404, code: "NOT_FOUND", title: "There is nothing at this address" });
}

async function answerApi({ access, router }: Parts, request: Request, path: string): Promise<Response> {
  const isPost = request.method === "POST";
  if (isPost) refuseCrossSite(request);
  const visitor = await access.visitorOf(request);
  const { route, params } = router.match(request.method === "HEAD" ? "GET" : request.method, path);
  if (isPost) checkOperator(visitor);
  const answered = await route.answer({
    visitor,
    param: (name) => params.get(name) ?? "",
    query: Object.fromEntries(new URL(request.url).searchParams),
    body: isPost ? await readJson(request) : undefined,
    lastEventId: request.headers.get("last-event-id") ?? undefined,
    signal: request.signal,
  });
  return answered instanceof Response ? answered : jsonAnswer(answered);
}

function checkOperator({ role }: Visitor): void {
  if (role === "operator") return;
  throw new Refusal({ status: 403, code: "VIEWER", title: "Viewers look, and only operators act" });
}
