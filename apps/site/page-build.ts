import { fork } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const ownFile = fileURLToPath(import.meta.url);
const here = dirname(ownFile);
const builderFile = join(here, "vite-build.ts");
/** What all pages share: the frame around them, the theme, the icon. */
const sharedSources = join(here, "page");
// Names the exact versions of what goes into a page.
const packageFile = join(here, "..", "package.json");
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
  const sources = [folder, sharedSources, packageFile, ownFile, builderFile, ...alsoFrom, ...packages.map(sourcesOf)];
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

async function runVite(root: string, { outDir, base }: { readonly outDir: string; readonly base: string }): Promise<void> {
  const builder = fork(builderFile, [root, outDir, base, join(sharedSources, "public")], {
    // Not that of a process such as a test's, which would make the page for developing.
    env: { ...process.env, NODE_ENV: "production" },
    stdio: ["ignore", "inherit", "pipe", "ipc"],
  });
  let complaints = "";
  builder.stderr?.on("data", (chunk: Buffer) => (complaints = (complaints + chunk.toString()).slice(-4_000)));
  const [code, signal] = (await once(builder, "close")) as [number | null, NodeJS.Signals | null];
  if (code !== 0) throw new Error(`The page in ${root} could not be built (${signal ?? `exit code ${code}`}): ${complaints}`);
}

/** The folder with the sources of a package of this workspace. */
function sourcesOf(name: string): string {
  return join(here, "..", "..", "node_modules", name, "src");
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
