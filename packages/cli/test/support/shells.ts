import { readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type FoundProgram, findProgram } from "../../../embedded/src/install/debian-program.ts";

/** The three shells that completion is for, unpacked into the cache folder where they are not installed. `settings` is for their files. */
export async function findShells(settings: string): Promise<Readonly<Record<"bash" | "zsh" | "fish", FoundProgram>>> {
  const [zsh, fish] = await Promise.all([findZsh(settings), findFish()]);
  return { bash: { command: "bash", env: {} }, zsh, fish };
}

/** It looks for its parts where it would be installed, unless the file that it reads first says otherwise. */
async function findZsh(settings: string): Promise<FoundProgram> {
  const found = await findProgram({ name: "zsh", code: "INSTALL_FAILED", log: console.log });
  const lines =
    found.root === undefined
      ? []
      : [`fpath=(${functionFolders(found.root).join(" ")})`, `module_path=('${found.root}'/usr/lib/*/zsh/*(/))`];
  // There is one in any case: it asks whoever has none whether to make one.
  writeFileSync(join(settings, ".zshenv"), `${lines.join("\n")}\n`);
  return { ...found, env: { ...found.env, ZDOTDIR: settings } };
}

function functionFolders(root: string): string[] {
  const top = join(root, "usr/share/zsh/functions");
  const folders = readdirSync(top, { withFileTypes: true, recursive: true }).filter((entry) => entry.isDirectory());
  return folders.map((entry) => `'${join(entry.parentPath, entry.name)}'`);
}

async function findFish(): Promise<FoundProgram> {
  const found = await findProgram({ name: "fish", code: "INSTALL_FAILED", log: console.log });
  // It takes the share/fish beside it only if there is an etc/fish too, which Debian has at the root.
  if (found.root !== undefined) link("../etc", join(found.root, "usr/etc"));
  return found;
}

function link(target: string, path: string): void {
  try {
    symlinkSync(target, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}
