import type { Console } from "../console.ts";
import { checkPath, type MountOptions } from "./mounting.ts";

interface HonoContextLike {
  readonly req: { readonly raw: Request };
  readonly env: unknown;
}

/** What is used of a Hono application. */
interface HonoLike {
  all(path: string, handler: (context: HonoContextLike) => Promise<Response>): unknown;
}

/**
 * Mounts the console on a Hono application. With `@hono/node-server` it knows who asks; elsewhere `access` has to be a key, as nobody can tell there who is on this machine.
 *
 * @example
 * mountHono(app, operations, { path: "/console" });
 */
export function mountHono(app: HonoLike, console: Console, options: MountOptions): void {
  const path = checkPath(options.path);
  const answer = ({ req, env }: HonoContextLike): Promise<Response> => {
    const remoteAddress = remoteAddressIn(env);
    return console.fetch(req.raw, { path, ...(remoteAddress !== undefined && { remoteAddress }) });
  };
  app.all(path, answer);
  app.all(`${path}/*`, answer);
}

/** Node's server puts the request in there. */
function remoteAddressIn(env: unknown): string | undefined {
  const incoming: unknown = typeof env === "object" && env !== null && "incoming" in env ? env.incoming : undefined;
  const socket: unknown = typeof incoming === "object" && incoming !== null && "socket" in incoming ? incoming.socket : undefined;
  const address: unknown = typeof socket === "object" && socket !== null && "remoteAddress" in socket ? socket.remoteAddress : undefined;
  return typeof address === "string" ? address : undefined;
}
