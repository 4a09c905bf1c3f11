import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const ownFile = fileURLToPath(import.meta.url);
const here = dirname(ownFile);
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
  /** Where the page is served: "/shop", or nothing for the start page. */
  readonly path: string;
}

/**
 * The folder of the built page, which is built now unless that was done from exactly these sources before. Each build has a folder
 * named after its sources, so that two processes that build at once, or an older server that still runs, do not disturb each other.
 */
export async function buildPage({ folder, alsoFrom = [], packages = [], path }: PageSource): Promise<string> {
  const builds = join(folder, "dist");
  const sources = [folder, sharedSources, packageFile, ownFile, ...alsoFrom, ...packages.map(sourcesOf)];
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
  // Loaded only when there is something to build: it takes longer than the rest of the start.
  const [{ build, defaultClientConditions }, { default: react }] = await Promise.all([import("vite"), import("@vitejs/plugin-react")]);
  const { NODE_ENV: before } = process.env;
  // Vite takes it over from a process that has one, such as a test's, and would then make the page for developing.
  process.env["NODE_ENV"] = "production";
  try {
    await build({
      root,
      base,
      configFile: false,
      publicDir: join(sharedSources, "public"),
      plugins: [react()],
      // Packages of this workspace come from their sources: there need be no build of them.
      resolve: { conditions: ["development", ...defaultClientConditions] },
      logLevel: "warn",
      mode: "production",
      build: { outDir, emptyOutDir: true, chunkSizeWarningLimit: 1_000 },
    });
  } finally {
    if (before === undefined) delete process.env["NODE_ENV"];
    else process.env["NODE_ENV"] = before;
  }
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
