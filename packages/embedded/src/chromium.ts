import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { EmbeddedError } from "./errors.ts";
import { cacheFolder } from "./install/cache.ts";
import { commandToRun } from "./install/command-to-run.ts";
import { withLock } from "./install/lock.ts";
import { type Log, silent } from "./log.ts";
import { findOnPath, isProgram, runCommand } from "./process/command.ts";

const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

const macApplications = [
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/**
 * The path of a Chromium or Chrome: CHROMIUM_PATH, one that is installed, or Debian's, which is installed when we are root. Throws
 * CHROMIUM_NOT_FOUND with the command to run.
 */
export async function findChromium(options: { readonly log?: Log } = {}): Promise<string> {
  const { log = silent } = options;
  const chosen = process.env["CHROMIUM_PATH"];
  if (chosen) {
    if (isProgram(chosen)) return chosen;
    throw new EmbeddedError("CHROMIUM_NOT_FOUND", `CHROMIUM_PATH is ${chosen}, which is not a program`);
  }
  const path = installed();
  if (path !== undefined) return path;
  if (process.getuid?.() === 0 && findOnPath("apt-get") !== undefined) return installOnceForAll(log);
  const command = commandToRun({ brew: "--cask google-chrome", apt: "chromium", elsewhere: "chromium" });
  throw new EmbeddedError("CHROMIUM_NOT_FOUND", `No Chromium found. Set CHROMIUM_PATH, or install one: ${command}`);
}

function installed(): string | undefined {
  const onPath = names.map((name) => findOnPath(name)).find((path) => path !== undefined);
  return onPath ?? macApplications.find(isProgram);
}

async function installOnceForAll(log: Log): Promise<string> {
  const cache = cacheFolder();
  mkdirSync(cache, { recursive: true });
  return await withLock(join(cache, "chromium.lock"), async () => {
    // Another process may have installed it while we waited for the lock.
    const path = installed() ?? (await install(log));
    if (path !== undefined) return path;
    throw new EmbeddedError("INSTALL_FAILED", "apt-get installed chromium, but it is not on PATH");
  });
}

async function install(log: Log): Promise<string | undefined> {
  log("Chromium is not installed: running apt-get install chromium");
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  // One archive that does not answer fails the whole update, though chromium may come from another.
  await runCommand("apt-get", ["update"], { env }).catch((error: unknown) => log(String(error)));
  const flags = ["--yes", "--no-install-recommends", "--option", "DPkg::Lock::Timeout=300"];
  await runCommand("apt-get", ["install", ...flags, "chromium"], { env });
  return installed();
}
