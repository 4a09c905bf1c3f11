import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import type { ReadableStream as NodeReadableStream } from "node:stream/web";

export interface MountOptions {
  /** Where it is mounted, such as `/console`. */
  readonly path: string;
}

/** The path without a slash at its end. Throws for what is none. */
export function checkPath(path: string): string {
  if (typeof path === "string" && /^(?:\/[\w.~-]+)+\/?$/.test(path)) return path.replace(/\/$/, "");
  throw new Error(`The console is mounted at a path such as "/console", not at ${JSON.stringify(path)}`);
}

/** Whether a request for this path is the console's. */
export function isBelow(path: string, url: string): boolean {
  const asked = url.split("?", 1)[0] ?? url;
  return asked === path || asked.startsWith(`${path}/`);
}

/** The request of a Node server as the web has it. `url` is the whole path that was asked for, with what a router has taken off. */
export function toRequest(incoming: IncomingMessage, { url, signal }: { readonly url: string; readonly signal: AbortSignal }): Request {
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (value === undefined || name.startsWith(":")) continue;
    for (const one of typeof value === "string" ? [value] : value) headers.append(name, one);
  }
  const method = incoming.method ?? "GET";
  const hasBody = method !== "GET" && method !== "HEAD";
  // The name is in the header `host`, where the console looks at it; a URL has to have one.
  return new Request(`http://localhost${url}`, {
    method,
    headers,
    signal,
    ...(hasBody && { body: bodyOf(incoming), duplex: "half" }),
  });
}

/** What is sent. Whoever has read enough of it drops the rest: Node's own stream would end the connection then, and with it the answer. */
function bodyOf(incoming: IncomingMessage): ReadableStream<Uint8Array> {
  let isDropped = false;
  return new ReadableStream<Uint8Array>({
    start: (controller) => {
      incoming.on("data", (chunk: Uint8Array) => {
        if (isDropped) return;
        controller.enqueue(chunk);
        if ((controller.desiredSize ?? 0) <= 0) incoming.pause();
      });
      incoming.once("end", () => isDropped || controller.close());
      incoming.once("error", (error) => isDropped || controller.error(error));
    },
    pull: () => void incoming.resume(),
    cancel: () => {
      isDropped = true;
      incoming.resume();
    },
  });
}

/** The body of an answer as Node's servers send it. */
export function toNodeBody(response: Response): Readable | undefined {
  return response.body ? Readable.fromWeb(response.body as NodeReadableStream<Uint8Array>) : undefined;
}
