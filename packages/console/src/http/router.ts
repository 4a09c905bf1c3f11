import type { Visitor } from "../access/visitor.ts";
import { Refusal } from "./refusal.ts";

/** A request as a route sees it. */
export interface Ask {
  readonly visitor: Visitor;
  /** A part of the path. */
  param(name: string): string;
  /** What stands behind the question mark. */
  readonly query: Readonly<Record<string, string>>;
  /** Of a POST: the JSON that was sent. */
  readonly body: unknown;
  /** Of who comes again to an event stream: the id of the last event that came. */
  readonly lastEventId: string | undefined;
  /** Is aborted when whoever asked has gone. */
  readonly signal: AbortSignal;
}

export interface Route {
  readonly method: "GET" | "POST";
  /** Such as `queues/:queue/jobs`. */
  readonly path: string;
  /** What is answered as JSON with 200, unless it is a whole answer. */
  answer(ask: Ask): unknown;
}

export interface Match {
  readonly route: Route;
  readonly params: ReadonlyMap<string, string>;
}

/** Finds what answers a request. */
export class Router {
  readonly #routes: readonly { readonly route: Route; readonly parts: readonly string[] }[];

  constructor(routes: readonly Route[]) {
    this.#routes = routes.map((route) => ({ route, parts: route.path.split("/") }));
  }

  /** Throws a refusal for a path that there is not, and for a method that it does not take. */
  match(method: string, path: string): Match {
    const given = path.split("/").map(decode);
    let isPath = false;
    for (const { route, parts } of this.#routes) {
      const params = matchParts(parts, given);
      if (!params) continue;
      isPath = true;
      if (route.method === method) return { route, params };
    }
    if (isPath) throw new Refusal({ status: 405, code: "METHOD_NOT_ALLOWED", title: `This address does not take ${method}` });
    throw new Refusal({ status: 404, code: "NOT_FOUND", title: "There is nothing at this address" });
  }
}

function matchParts(parts: readonly string[], given: readonly string[]): ReadonlyMap<string, string> | undefined {
  if (parts.length !== given.length) return undefined;
  const params = new Map<string, string>();
  for (const [index, part] of parts.entries()) {
    const value = given[index] ?? "";
    if (part.startsWith(":")) {
      if (value === "") return undefined;
      params.set(part.slice(1), value);
    } else if (part !== value) {
      return undefined;
    }
  }
  return params;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new Refusal({ status: 400, code: "INVALID_REQUEST", title: "The address is not valid" });
  }
}
