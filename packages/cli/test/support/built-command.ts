import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build, type Plugin } from "vite";

const here = dirname(fileURLToPath(import.meta.url));
const packageFolder = join(here, "../..");
const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const builds = join(packageFolder, "node_modules", ".built");
const sources = ["cli", "keyline", "embedded"].map((name) => join(packageFolder, "..", name, "src"));
const keptMs = 86_400_000;

let built: Promise<string> | undefined;

/**
 * The command's main file, made of the sources as they are in a few modules: a process that reads each of some hundred files takes three times as long to begin, and tests start hundreds.
 */
export function builtCommand(): Promise<string> {
  built ??= buildOnce();
  return built;
}

/** In a folder named after the sources, so that processes which do this at once do not disturb each other. */
async function buildOnce(): Promise<string> {
  const folder = join(builds, digest());
  if (!existsSync(folder)) {
    const unfinished = join(builds, `unfinished-${process.pid}`);
    mkdirSync(builds, { recursive: true });
    removeOldOnes();
    await bundle(unfinished);
    try {
      renameSync(unfinished, folder);
    } catch (error) {
      // Another process may have been faster with the same.
      if (!existsSync(folder)) throw error;
      rmSync(unfinished, { recursive: true });
    }
  }
  return join(folder, "main.js");
}

async function bundle(outDir: string): Promise<void> {
  await build({
    configFile: false,
    root: packageFolder,
    logLevel: "error",
    plugins: [ownUrls],
    ssr: { resolve: { conditions: ["development", "node"] }, noExternal: [/^keyline$/, /^@keyline\//] },
    build: { ssr: main, outDir, emptyOutDir: true, target: "node22", sourcemap: true },
  });
}

/** What a module reads from beside itself is still there. In the text of a message it is not meant. */
const ownUrls: Plugin = {
  name: "own-urls",
  transform: (code, id) => code.replaceAll(/(?<!\\", )import\.meta\.url/g, JSON.stringify(pathToFileURL(id).href)),
};

function digest(): string {
  const hash = createHash("sha256");
  for (const folder of [...sources, fileURLToPath(import.meta.url)])
    for (const file of filesIn(folder)) hash.update(file).update(readFileSync(file));
  return hash.digest("hex").slice(0, 16);
}

function filesIn(path: string): string[] {
  if (statSync(path).isFile()) return [path];
  const entries = readdirSync(path, { withFileTypes: true, recursive: true });
  return entries.flatMap((entry) => (entry.isFile() ? join(entry.parentPath, entry.name) : [])).sort();
}

function removeOldOnes(): void {
  for (const entry of readdirSync(builds)) {
    const old = join(builds, entry);
    if (Date.now() - (statSync(old, { throwIfNoEntry: false })?.mtimeMs ?? Infinity) > keptMs)
      rmSync(old, { recursive: true, force: true });
  }
}
