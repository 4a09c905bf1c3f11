import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { delay } from "../process/waiting.ts";

/** Runs `work` in one process of this machine at a time. The lock of a process that died is taken over. */
export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  while (!take(file)) await delay(100);
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

function take(file: string): boolean {
  try {
    writeFileSync(file, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    if (!isHeld(file)) rmSync(file, { force: true });
    return false;
  }
}

function isHeld(file: string): boolean {
  try {
    const holder = Number(readFileSync(file, "utf8"));
    // Created, but its holder's number is not written yet.
    if (holder === 0) return true;
    process.kill(holder, 0);
    return true;
  } catch (error) {
    // EPERM: it lives and is somebody else's. Otherwise it is dead, or the lock is gone and up for the taking.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
