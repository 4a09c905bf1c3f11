import { connect, createServer } from "node:net";
import { EmbeddedError } from "../errors.ts";

export const host = "127.0.0.1";

// Below the range from which Linux and macOS take the ports of outgoing connections, so that a server that is down for a moment
// finds its port free when it comes back.
const first = 20_000;
const count = 12_000;

const handedOut = new Set<number>();

/** A port that is free now and that this process has not been given before. Somebody may still be faster: starting is retried. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 1_000; tries++) {
    const port = first + Math.floor(Math.random() * count);
    if (handedOut.has(port)) continue;
    handedOut.add(port);
    if (await isFree(port)) return port;
  }
  throw new EmbeddedError("PORT_IN_USE", `No free port found between ${first} and ${first + count}`);
}

/** Forgets ports whose servers are stopped, so that a long test run does not use them all up. */
export function returnPort(port: number): void {
  handedOut.delete(port);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.on("error", () => resolve(false));
    probe.listen({ port, host }, () => probe.close(() => resolve(true)));
  });
}

/** Whether somebody takes connections on a port of this machine. */
export function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
