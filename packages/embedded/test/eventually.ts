import { existsSync, readdirSync, readFileSync } from "node:fs";
import { delay } from "../src/process/waiting.ts";

/** Whether `isTrue` comes to hold within `timeoutMs`. */
export async function eventually(isTrue: () => boolean | Promise<boolean>, { timeoutMs = 20_000, everyMs = 20 } = {}): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (!(await isTrue())) {
    if (performance.now() > deadline) return false;
    await delay(everyMs);
  }
  return true;
}

/** Nothing of a server is left: no folder, no shared memory and no process with that folder in its command line, its guard included. */
export function nothingIsLeftOf({ pid, dir }: { readonly pid: number; readonly dir: string }): boolean {
  return !existsSync(dir) && !isAlive(pid) && !ownsSharedMemory(pid) && processesNaming(dir).length === 0;
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Empty where there is no /proc. */
export function processesNaming(text: string): readonly string[] {
  if (!existsSync("/proc")) return [];
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => commandLine(pid))
    .filter((line) => line.includes(text));
}

/** "key shmid perms size cpid ...": cpid is the process that made the segment. */
function ownsSharedMemory(pid: number): boolean {
  if (!existsSync("/proc/sysvipc/shm")) return false;
  const rows = readFileSync("/proc/sysvipc/shm", "utf8").trim().split("\n").slice(1);
  return rows.some((row) => Number(row.trim().split(/\s+/)[4]) === pid);
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return "";
  }
}
