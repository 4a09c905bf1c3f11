import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Mutant } from "./mutants.ts";

const packageFolder = join(import.meta.dirname, "..");
const dependencies = join(packageFolder, "../../node_modules");

/** Makes a copy of the package in which the bug is, beside the same dependencies, and returns its folder. */
export function plant(mutant: Mutant): string {
  const folder = mkdtempSync(join(tmpdir(), `keyline-mutant-${mutant.name}-`));
  const copy = join(folder, "packages/keyline");
  mkdirSync(copy, { recursive: true });
  for (const part of ["src", "soak", "test/support", "package.json"])
    cpSync(join(packageFolder, part), join(copy, part), { recursive: true });
  symlinkSync(dependencies, join(folder, "node_modules"));
  for (const [path, text] of mutate(readSources(), mutant)) writeFileSync(join(copy, "src", path), text);
  return folder;
}

/** The texts of all sources, by their paths below `src`. */
export function readSources(): Map<string, string> {
  const folder = join(packageFolder, "src");
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) => /\.(ts|lua|sql)$/.test(path));
  return new Map(files.map((path) => [path, readFileSync(join(folder, path), "utf8")]));
}

/** The sources that the bug changes, as they are with it. Throws where what it changes is not there any more. */
export function mutate(sources: ReadonlyMap<string, string>, { name, edits }: Mutant): Map<string, string> {
  const changed = new Map<string, string>();
  for (const { find, replace, isEverywhere = false } of edits) {
    const places = [...sources].flatMap(([path, text]) => Array.from({ length: text.split(find).length - 1 }, () => path));
    if (places.length === 0 || (places.length > 1 && !isEverywhere))
      throw new Error(`${name}: this text stands in ${places.length} places of the sources: ${find}`);
    for (const path of places) {
      changed.set(
        path,
        (changed.get(path) ?? sources.get(path) ?? "").replace(find, () => replace),
      );
    }
  }
  return changed;
}
