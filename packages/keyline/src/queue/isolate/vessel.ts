import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { FromIsolate, ToIsolate } from "./messages.ts";

export type IsolateKind = "thread" | "process";

/** A thread or a process. */
export interface Vessel {
  send(message: ToIsolate): void;
  kill(): void;
}

export interface VesselEvents {
  message(message: FromIsolate): void;
  /** It has ended; `why` is a sentence without its end. */
  ended(why: string): void;
}

const entry = new URL(import.meta.url.endsWith(".ts") ? "./entry.ts" : "./entry.js", import.meta.url);

export function launch(kind: IsolateKind, handler: URL, events: VesselEvents): Vessel {
  return kind === "thread" ? launchThread(handler, events) : launchProcess(handler, events);
}

function launchThread(handler: URL, events: VesselEvents): Vessel {
  const thread = new Worker(entry, { workerData: { handler: handler.href } });
  let why: string | undefined;
  thread.on("message", (message: FromIsolate) => events.message(message));
  thread.on(
    "error",
    (error) => (why = `its thread ended by ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`),
  );
  thread.on("exit", (code) => events.ended(why ?? `its thread ended with code ${code}`));
  return { send: (message) => thread.postMessage(message, []), kill: () => void thread.terminate() };
}

function launchProcess(handler: URL, events: VesselEvents): Vessel {
  const child = fork(fileURLToPath(entry), [handler.href, String(process.pid)], { serialization: "advanced" });
  let isOver = false;
  const end = (why: string): void => {
    if (isOver) return;
    isOver = true;
    events.ended(why);
  };
  child.on("message", (message) => events.message(message as FromIsolate));
  child.on("error", (error) => end(`its process could not be used: ${error.message}`));
  child.on("exit", (code, signal) => end(signal ? `its process was ended by ${signal}` : `its process ended with code ${code}`));
  return {
    // A process that has just ended says so by itself.
    send: (message) => void (child.connected && child.send(message, () => undefined)),
    kill: () => void child.kill("SIGKILL"),
  };
}
