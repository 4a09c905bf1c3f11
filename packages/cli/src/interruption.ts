import { Interrupted } from "./exit-codes.ts";

// The last is what closing the terminal's window sends.
const names = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Aborted by Ctrl-C, SIGTERM and SIGHUP. From the first use on they end what is under way and not the process; a second one ends that too. */
export function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const name of names) process.once(name, () => controller.abort(new Interrupted(name)));
  return controller.signal;
}
