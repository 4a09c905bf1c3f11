import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { ProcessReading } from "./stage.ts";

/** What this process takes: CPU time since it started, and memory, on request without what nothing refers to any more. */
export function readOwnProcess({ collectsGarbage }: { readonly collectsGarbage: boolean }): ProcessReading {
  if (collectsGarbage) collectGarbage();
  const { user, system } = process.cpuUsage();
  return { cpuUs: user + system, residentBytes: process.memoryUsage.rss() };
}

/** As --expose-gc would offer it, but only in a process that is asked to. The last resort collects until nothing more is found, and gives
 * empty pages back to the system. */
function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as (options: { readonly type: "major"; readonly flavor: "last-resort" }) => void;
  collect({ type: "major", flavor: "last-resort" });
}
