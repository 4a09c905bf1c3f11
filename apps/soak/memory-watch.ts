import { readdirSync, readFileSync } from "node:fs";

/** Samples of a process in the order in which they were taken. */
interface History {
  readonly name: string;
  readonly samples: { readonly minute: number; readonly mb: number }[];
}

export interface Growth {
  readonly name: string;
  readonly settledMb: number;
  readonly finalMb: number;
}

/** Reads what memory (VmRSS, Linux) the Node processes of a family take, again and again. */
export class MemoryWatch {
  readonly #root: number;
  readonly #histories = new Map<number, History>();

  constructor(root: number) {
    this.#root = root;
  }

  sample(minute: number): void {
    for (const pid of familyOf(this.#root)) {
      const reading = readMemory(pid);
      if (!reading) continue;
      const history = this.#histories.get(pid) ?? { name: reading.name, samples: [] };
      history.samples.push({ minute, mb: reading.mb });
      this.#histories.set(pid, history);
    }
  }

  describe(): string {
    return [...this.#histories.values()].map(({ name, samples }) => `${name} ${samples.at(-1)?.mb} MB`).join(", ");
  }

  /**
   * Medians of a minute's samples, since a collection may have run just before one of them. Processes that ended or began later say nothing.
   */
  growths(settledMinute: number): Growth[] {
    return [...this.#histories.values()].flatMap(({ name, samples }) => {
      const end = samples.at(-1)?.minute ?? 0;
      const settled = medianOf(samples.filter(({ minute }) => minute >= settledMinute - 0.5 && minute <= settledMinute + 0.5));
      const final = medianOf(samples.filter(({ minute }) => minute >= end - 1));
      return settled === undefined || final === undefined || end < settledMinute + 1 ? [] : [{ name, settledMb: settled, finalMb: final }];
    });
  }
}

function medianOf(samples: readonly { readonly mb: number }[]): number | undefined {
  const sorted = samples.map(({ mb }) => mb).toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
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

function readMemory(pid: number): { readonly name: string; readonly mb: number } | undefined {
  const status = readStatus(String(pid));
  const kilobytes = /^VmRSS:\s+(\d+)/m.exec(status)?.[1];
  const command = readProc(`${pid}/cmdline`).split("\0");
  if (kilobytes === undefined || !command[0]?.endsWith("node")) return undefined;
  const script =
    command
      .find((word) => word.endsWith(".ts"))
      ?.split("/")
      .at(-1) ?? "node";
  return { name: `${script} ${pid}`, mb: Math.round(Number(kilobytes) / 1024) };
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
