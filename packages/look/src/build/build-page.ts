import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { runVite } from "./run-vite.ts";
import { folderOf } from "./workspace-package.ts";

/** What goes into every page: this package, whose package.json names the versions of the rest. */
const own = ["src", "package.json"].map((path) => join(import.meta.dirname, "../..", path));
const keptMs = 86_400_000;

export interface PageSource {
  /** The folder with the page's index.html. */
  readonly folder: string;
  /** Files outside of it that the page is made of. */
  readonly alsoFrom?: readonly string[];
  /** Packages of this workspace that it imports. */
  readonly packages?: readonly string[];
  /** Where the page is served: "/shop", nothing for the start page, or "." for one that is served anywhere. */
  readonly path: string;
}

/**
 * The folder of the built page, which is built now unless that was done from exactly these sources before. Each build has a folder
 * named after its sources, so that two processes that build at once, or an older server that still runs, do not disturb each other.
 */
export async function buildPage({ folder, alsoFrom = [], packages = [], path }: PageSource): Promise<string> {
  const builds = join(folder, "dist");
  const sources = [folder, ...own, ...alsoFrom, ...packages.map((name) => join(folderOf(name), "src"))];
  const build = join(builds, digestOf(sources, path));
  if (existsSync(build)) return build;
  const unfinished = join(builds, `unfinished-${process.pid}`);
  mkdirSync(builds, { recursive: true });
  try {
    await runVite(folder, { outDir: unfinished, base: `${path}/` });
    removeOldOnes(builds);
    renameSync(unfinished, build);
  } catch (error) {
    // Another process may have been faster with the same.
    if (!existsSync(build)) throw error;
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return build;
}

function removeOldOnes(builds: string): void {
  for (const entry of readdirSync(builds)) {
    const old = join(builds, entry);
    if (Date.now() - (statSync(old, { throwIfNoEntry: false })?.mtimeMs ?? Infinity) > keptMs)
      rmSync(old, { recursive: true, force: true });
  }
}

function digestOf(paths: readonly string[], salt: string): string {
  const hash = createHash("sha256").update(salt);
  for (const path of paths) {
    for (const file of filesIn(path)) hash.update(relative(path, file)).update(readFileSync(file));
  }
  return hash.digest("hex").slice(0, 16);
}

function filesIn(path: string): string[] {
  if (statSync(path).isFile()) return [path];
  const entries = readdirSync(path, { withFileTypes: true, recursive: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return files.filter((file) => !relative(path, file).startsWith("dist")).sort();
}
