import { readdir, readFile } from "node:fs/promises";

/** Linux reports CPU time to user space in hundredths of a second whatever the kernel's own tick is (USER_HZ). */
const usPerTick = 10_000;

interface ProcessTimes {
  readonly parent: number;
  readonly own: number;
  /** Of children that have ended and were waited for. */
  readonly ended: number;
}

/**
 * CPU time of PostgreSQL as a whole: the postmaster, its live backends and background processes, and what backends
 * that have ended left in the postmaster's account. Undefined where there is no /proc.
 */
export async function postgresCpuUs(postmaster: number): Promise<number | undefined> {
  const server = await timesOf(postmaster);
  if (!server) return undefined;
  const pids = (await readdir("/proc")).map(Number).filter(Number.isInteger);
  const all = await Promise.all(pids.map(timesOf));
  const children = all.filter((times) => times?.parent === postmaster);
  const ticks = children.reduce((sum, times) => sum + (times?.own ?? 0), server.own + server.ended);
  return ticks * usPerTick;
}

/** CPU time of one process. Undefined where there is no /proc. */
export async function processCpuUs(pid: number): Promise<number | undefined> {
  const times = await timesOf(pid);
  return times && times.own * usPerTick;
}

async function timesOf(pid: number): Promise<ProcessTimes | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    // The second field is a name in brackets that may hold blanks; the numbers start behind it, with field 3.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const field = (number: number): number => Number(fields[number - 3]);
    return { parent: field(4), own: field(14) + field(15), ended: field(16) + field(17) };
  } catch {
    // No /proc on this system, or the process has just ended.
    return undefined;
  }
}
