import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { EmbeddedError } from "../errors.ts";
import { cacheFolder } from "../install/cache.ts";

export const host = "127.0.0.1";

// Below the range from which Linux and macOS take the ports of outgoing connections, so that a server that is down for a moment
// finds its port free when it comes back.
const first = 20_000;
const count = 12_000;

/** A file for each port that a process has been given, with its process id: one of a server that is down just now is free only to look at. */
const reservations = join(cacheFolder(), "ports");

/** A port that is free now and that no process has been given before. Somebody may still be faster: starting is retried. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 1_000; tries++) {
    const port = first + Math.floor(Math.random() * count);
    if (!reserve(port)) continue;
    if (await isFree(port)) return port;
    returnPort(port);
  }
  throw new EmbeddedError("PORT_IN_USE", `No free port found between ${first} and ${first + count}`);
}

/** Forgets ports whose servers are stopped, so that a long test run does not use them all up. */
export function returnPort(port: number): void {
  rmSync(join(reservations, String(port)), { force: true });
}

/** False when a process that goes on has it. */
function reserve(port: number): boolean {
  const file = join(reservations, String(port));
  try {
    mkdirSync(reservations, { recursive: true, mode: 0o777 });
    writeFileSync(file, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    // Where the folder is another user's it says nothing.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") return true;
  }
  if (isReserved(file)) return false;
  returnPort(port);
  return false;
}

function isReserved(file: string): boolean {
  try {
    process.kill(Number(readFileSync(file, "utf8")) || process.pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
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
