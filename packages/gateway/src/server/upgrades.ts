import type { FastifyInstance } from "fastify";

const patienceMs = 10_000;

/**
 * A connection that asked for an upgrade and got an ordinary answer belongs to nobody: the HTTP server has let go of it, and would never
 * close it.
 */
export function closeAfterRefusedUpgrade(scope: FastifyInstance): void {
  scope.addHook("onRequest", (request, reply, done) => {
    const { headers, socket } = request.raw;
    if (headers.upgrade !== undefined) reply.raw.once("finish", () => socket.destroySoon());
    done();
  });
}

/** The same for the other routes of an application, which are not ours to hook into. A WebSocket takes this limit off when it opens. */
export function limitUpgrades({ server }: FastifyInstance): void {
  server.on("upgrade", (_request, socket) => {
    if ("setTimeout" in socket && typeof socket.setTimeout === "function") socket.setTimeout(patienceMs, () => socket.destroy());
  });
}
