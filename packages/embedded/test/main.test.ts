import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { runStatement } from "../src/postgres/query.ts";
import { request } from "../src/valkey/resp.ts";
import { eventually, processesNaming } from "./eventually.ts";

vi.setConfig({ testTimeout: 120_000 });

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));

// A folder of its own for temporary files shows whatever is left behind.
let temporary: string;
beforeEach(() => {
  temporary = mkdtempSync(join(tmpdir(), "keyline-test-"));
  chmodSync(temporary, 0o1777);
});
afterEach(() => rmSync(temporary, { recursive: true }));

type Started = ChildProcessByStdio<null, Readable, Readable>;

function start(...command: readonly string[]): Started {
  const env = { ...process.env, TMPDIR: temporary };
  return spawn(process.execPath, [main, ...command], { env, stdio: ["ignore", "pipe", "pipe"] });
}

const isClean = (): boolean => readdirSync(temporary).length === 0 && processesNaming(temporary).length === 0;

/** What it has printed once that is two lines. */
function twoLines(child: Started): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk;
      if (output.split("\n").length === 3) resolve(output);
    });
    child.on("exit", () => reject(new Error(`it ended after ${JSON.stringify(output)}`)));
  });
}

async function tryBoth(lines: string): Promise<void> {
  const [, valkeyUrl = "", databaseUrl = ""] =
    /^export VALKEY_URL='(valkey:[^']+)'\nexport DATABASE_URL='(postgres(?:ql)?:[^']+)'\n$/.exec(lines) ?? [];
  expect(await request({ port: Number(new URL(valkeyUrl).port) }, "PING")).toBe("PONG");
  const { port, username, password, pathname } = new URL(databaseUrl);
  await runStatement({ port: Number(port), user: username, password }, `COMMENT ON DATABASE ${pathname.slice(1)} IS 'it is there'`);
}

test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)("prints two URLs that work, and leaves nothing when it gets %s", async (signal) => {
  const child = start();
  const messages = text(child.stderr);
  await tryBoth(await twoLines(child));
  const ended = once(child, "exit");
  child.kill(signal);
  child.kill(signal);
  expect(await ended).toEqual([0, null]);
  expect(isClean()).toBe(true);
  expect(await messages).toContain("Ctrl-C stops both servers");
});

test("is killed, and leaves nothing", async () => {
  const child = start();
  await twoLines(child);
  child.kill("SIGKILL");
  expect(await eventually(isClean)).toBe(true);
});

test("runs a command with both URLs, ends with its code, and leaves nothing", async () => {
  const script = `
    for (const name of ["VALKEY_URL", "DATABASE_URL"]) console.log("export " + name + "='" + process.env[name] + "'");
    process.on("SIGTERM", () => process.exit(7));
    setInterval(() => undefined, 60_000);`;
  const child = start(process.execPath, "-e", script);
  await tryBoth(await twoLines(child));
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  expect(await ended).toEqual([7, null]);
  expect(isClean()).toBe(true);
});

test("says which command could not be started", async () => {
  const child = start("/no/such/program");
  const messages = text(child.stderr);
  expect(await once(child, "exit")).toEqual([1, null]);
  expect(await messages).toContain("/no/such/program could not be started");
  expect(isClean()).toBe(true);
});
