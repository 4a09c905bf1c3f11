import { readdirSync, readFileSync } from "node:fs";
import { runCommand } from "./command.ts";

/** The process ids of a process's own children. */
export async function childrenOf(pid: number): Promise<readonly number[]> {
  const table = process.platform === "linux" ? processesOfLinux() : await processesOfPs();
  return table.filter((entry) => entry.parent === pid).map((entry) => entry.pid);
}

interface Entry {
  readonly pid: number;
  readonly parent: number;
}

/** From /proc, because small container images have no `ps`. */
function processesOfLinux(): readonly Entry[] {
  return readdirSync("/proc")
    .map(Number)
    .filter(Number.isInteger)
    .flatMap((pid) => {
      try {
        // "pid (name) state parent ...", and the name may hold anything, so we count from its closing bracket.
        const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
        return [{ pid, parent: Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) }];
      } catch {
        // It ended while we looked.
        return [];
      }
    });
}

async function processesOfPs(): Promise<readonly Entry[]> {
  const rows = (await runCommand("ps", ["-A", "-o", "pid=,ppid="])).trim().split("\n");
  return rows.map((row) => {
    const [pid, parent] = row.trim().split(/\s+/);
    return { pid: Number(pid), parent: Number(parent) };
  });
}
