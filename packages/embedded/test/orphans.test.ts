import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { delay } from "../src/process/waiting.ts";
import { eventually, isAlive, nothingIsLeftOf, processesNaming } from "./eventually.ts";

vi.setConfig({ testTimeout: 60_000 });

const owner = fileURLToPath(new URL("server-owner.ts", import.meta.url));

// Each owner has a folder of its own for temporary files, so that whatever its servers leave behind is seen.
let temporary: string;
beforeEach(() => {
  temporary = mkdtempSync(join(tmpdir(), "keyline-test-"));
  chmodSync(temporary, 0o1777);
});
afterEach(() => rmSync(temporary, { recursive: true }));

function startOwner(...args: readonly string[]): ChildProcess {
  const env = { ...process.env, TMPDIR: temporary };
  return spawn(process.execPath, [owner, ...args], { env, stdio: ["ignore", "pipe", "inherit"] });
}

function nothingIsLeft(): boolean {
  return readdirSync(temporary).length === 0 && processesNaming(temporary).length === 0;
}

async function serverOf(child: ChildProcess): Promise<{ pid: number; dir: string }> {
  if (child.stdout === null) throw new Error("stdout expected");
  for await (const line of createInterface({ input: child.stdout })) return JSON.parse(line) as { pid: number; dir: string };
  throw new Error("The owner ended without a word");
}

describe.each(["valkey", "postgres"])("%s", (kind) => {
  test.each(["SIGKILL", "SIGINT"] as const)("is gone with its folder when its owner gets %s", async (signal) => {
    const child = startOwner(kind, "stay");
    const server = await serverOf(child);
    expect(isAlive(server.pid)).toBe(true);
    expect(server.dir).toContain(temporary);
    expect(existsSync(server.dir)).toBe(true);
    child.kill(signal);
    expect(await eventually(() => nothingIsLeft() && nothingIsLeftOf(server))).toBe(true);
  });

  test("does not keep its owner alive, and is gone when the owner ends by itself", async () => {
    const child = startOwner(kind, "end");
    const ended = new Promise((resolve) => child.on("exit", resolve));
    const server = await serverOf(child);
    expect(await ended).toBe(0);
    expect(await eventually(() => nothingIsLeft() && nothingIsLeftOf(server))).toBe(true);
  });

  test("leaves no folder when its owner is killed while the server is down", async () => {
    const child = startOwner(kind, "killed-server");
    const server = await serverOf(child);
    expect(server.dir).toContain(temporary);
    expect(existsSync(server.dir)).toBe(true);
    child.kill("SIGKILL");
    expect(await eventually(() => nothingIsLeft() && nothingIsLeftOf(server))).toBe(true);
  });

  // With a database, that is sometimes in the middle of initdb and sometimes in that of the server's own start.
  test.each([0, 200, 600])("is gone when its owner is killed %i ms into the start", async (ms) => {
    const child = startOwner(kind, "stay");
    expect(await eventually(() => readdirSync(temporary).length === 1, { everyMs: 1 })).toBe(true);
    await delay(ms);
    child.kill("SIGKILL");
    expect(await eventually(nothingIsLeft)).toBe(true);
  });
});
