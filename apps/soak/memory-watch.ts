import { readdirSync, readFileSync } from "node:fs";

/** Reads what the Node processes of a family take of the system's memory (VmRSS, Linux). */
export class MemoryWatch {
  readonly #root: number;

  constructor(root: number) {
    this.#root = root;
  }

  describe(): string {
    return familyOf(this.#root).flatMap(describeProcess).join(", ");
  }
}

/** The process and all below it. */
function familyOf(root: number): number[] {
  const parents = new Map<number, number>();
  for (const entry of readdirSync("/proc")) {
    const parent = /^PPid:\s+(\d+)/m.exec(readStatus(entry))?.[1];
    if (parent !== undefined) parents.set(Number(entry), Number(parent));
  }
  const family = [root];
  // The list grows while it is walked.
  for (const member of family) for (const [pid, parent] of parents) if (parent === member) family.push(pid);
  return family;
}

function describeProcess(pid: number): string[] {
  const kilobytes = /^VmRSS:\s+(\d+)/m.exec(readStatus(String(pid)))?.[1];
  const command = readProc(`${pid}/cmdline`).split("\0");
  if (kilobytes === undefined || !command[0]?.endsWith("node")) return [];
  const script =
    command
      .find((word) => word.endsWith(".ts"))
      ?.split("/")
      .at(-1) ?? "node";
  return [`${script} ${pid} ${Math.round(Number(kilobytes) / 1024)} MB`];
}

function readStatus(entry: string): string {
  return /^\d+$/.test(entry) ? readProc(`${entry}/status`) : "";
}

/** Empty when the process has just ended. */
function readProc(path: string): string {
  try {
    return readFileSync(`/proc/${path}`, "utf8");
  } catch {
    return "";
  }
}
