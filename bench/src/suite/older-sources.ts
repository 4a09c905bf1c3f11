import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, sep } from "node:path";

const root = join(import.meta.dirname, "..", "..", "..");

export interface Sources {
  readonly folder: string;
  /** The short name of the commit. */
  readonly name: string;
  remove(): void;
}

/**
 * The sources of an older commit in a folder outside of the checkout, with the packages that are installed here. Throws with a sentence for
 * the user when there is no such commit.
 */
export function olderSources(revision: string): Sources {
  const found = spawnSync("git", ["rev-parse", "--short", "--verify", `${revision}^{commit}`], { cwd: root, encoding: "utf8" });
  if (found.status !== 0) throw new Error(`--against takes a commit of this repository, not ${revision}.`);
  const name = found.stdout.trim();
  const folder = mkdtempSync(join(tmpdir(), "keyline-older-"));
  const archive = execFileSync("git", ["archive", "--format=tar", name], { cwd: root, maxBuffer: 268_435_456 });
  execFileSync("tar", ["-x", "-C", folder], { input: archive });
  linkPackages("node_modules", folder);
  for (const workspace of ["bench", "apps", ...readdirSync(join(folder, "packages")).map((each) => join("packages", each))]) {
    if (existsSync(join(root, workspace, "node_modules"))) linkPackages(join(workspace, "node_modules"), folder);
  }
  return { folder, name, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Everything as installed here, but packages of this repository from the older sources. */
function linkPackages(packages: string, folder: string): void {
  mkdirSync(join(folder, packages), { recursive: true });
  for (const entry of readdirSync(join(root, packages))) {
    const path = join(packages, entry);
    if (entry.startsWith("@")) {
      linkPackages(path, folder);
      continue;
    }
    const target = realpathSync(join(root, path));
    const within = relative(root, target);
    const isOwn = !within.startsWith("..") && !within.split(sep).includes("node_modules");
    symlinkSync(isOwn ? join(folder, within) : target, join(folder, path));
  }
}
