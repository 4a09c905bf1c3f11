import type { Server } from "node:http";

/** True for an address, or a name, by which only this machine can be reached. */
export function isLoopback(host: string): boolean {
  const plain = host.replace(/^\[|\]$/g, "").replace(/^::ffff:/i, "");
  return plain === "localhost" || plain === "::1" || /^127(?:\.\d{1,3}){3}$/.test(plain);
}

/** Throws for an address that others can reach while nobody is asked for a token. */
export function checkListenAddress(host: string | undefined): void {
  if (host !== undefined && isLoopback(host)) return;
  throw new Error(
    `The gateway has no key to check tokens with, so it listens on loopback only, not on ${host ?? "every address"}: give access: { secret }, { publicKey } or { jwks }, or listen on 127.0.0.1`,
  );
}

/** Fastify has no hook between the call of listen and the moment at which the port is open: the server itself has to refuse. */
export function listenOnLoopbackOnly(server: Server): void {
  const listen = server.listen.bind(server);
  const guarded = (...args: unknown[]): Server => {
    const [first, second] = args;
    const host = typeof first === "object" && first !== null && "host" in first ? first.host : second;
    const path = typeof first === "object" && first !== null && "path" in first ? first.path : undefined;
    // A Unix socket belongs to the file system's permissions.
    if (path === undefined) checkListenAddress(typeof host === "string" ? host : undefined);
    return Reflect.apply(listen, server, args) as Server;
  };
  server.listen = guarded as Server["listen"];
}
