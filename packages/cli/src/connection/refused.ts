import { once } from "node:events";
import { connect } from "node:net";

/** Resolves as soon as none of these takes a connection, as nothing listens there; never where one may. */
export async function refused(nodes: readonly { readonly host: string; readonly port: number }[], signal: AbortSignal): Promise<void> {
  const refusals = nodes.map(async (node) => {
    const socket = connect({ ...node, signal });
    try {
      await once(socket, "connect", { signal });
      return false;
    } catch (error) {
      return error instanceof Error && "code" in error && error.code === "ECONNREFUSED";
    } finally {
      socket.destroy();
    }
  });
  const areRefused = (await Promise.all(refusals)).every((isRefused) => isRefused);
  if (!areRefused) await new Promise<never>(() => undefined);
}
