import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { canReach, type Identity } from "../process/identity.ts";
import { removeFolder } from "../process/private-folder.ts";
import { withLock } from "./lock.ts";

/** Where downloads are kept: KEYLINE_CACHE, or else a folder in the user's cache folder. */
export function cacheFolder(): string {
  const { KEYLINE_CACHE, XDG_CACHE_HOME } = process.env;
  return resolve(KEYLINE_CACHE || join(XDG_CACHE_HOME || join(homedir(), ".cache"), "keyline"));
}

/** The same, unless the user that runs a server cannot look into it, as into root's home: then a folder that all can read. */
export function cacheFolderFor(identity: Identity): string {
  const own = cacheFolder();
  mkdirSync(own, { recursive: true });
  if (canReach(own, identity)) return own;
  const shared = "/var/cache/keyline";
  mkdirSync(shared, { recursive: true });
  chmodSync(shared, 0o755);
  return shared;
}

/** Names this machine's system and architecture: a cache folder may be shared by several machines. */
export function platformKey(): string {
  const { ID = process.platform, VERSION_ID } = osRelease();
  return [ID, VERSION_ID, process.arch].filter(Boolean).join("-");
}

/** The fields of /etc/os-release; none where there is no such file. */
export function osRelease(file = "/etc/os-release"): Readonly<Record<string, string>> {
  if (!existsSync(file)) return {};
  const fields = readFileSync(file, "utf8").matchAll(/^([A-Z_]+)="?([^"\n]*)"?$/gm);
  return Object.fromEntries(Array.from(fields, ([, name = "", value = ""]) => [name, value]));
}

/**
 * Fills `folder` once for all processes of the machine: `fill` writes into a folder beside it, which is then renamed, so that nobody
 * ever sees half an installation. What an interrupted attempt left is removed by the next one.
 */
export async function installOnce(folder: string, fill: (staging: string) => Promise<void>): Promise<void> {
  const parent = dirname(folder);
  mkdirSync(parent, { recursive: true });
  await withLock(`${folder}.lock`, async () => {
    if (existsSync(folder)) return;
    const prefix = `.${basename(folder)}-staging-`;
    for (const name of readdirSync(parent)) if (name.startsWith(prefix)) removeFolder(join(parent, name));
    const staging = mkdtempSync(join(parent, prefix));
    try {
      chmodSync(staging, 0o755);
      await fill(staging);
      renameSync(staging, folder);
    } finally {
      removeFolder(staging);
    }
  });
}
