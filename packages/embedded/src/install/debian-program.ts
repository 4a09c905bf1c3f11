import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { EmbeddedError, type EmbeddedErrorCode } from "../errors.ts";
import type { Log } from "../log.ts";
import { type Environment, findOnPath, isProgram } from "../process/command.ts";
import { removeFolder } from "../process/private-folder.ts";
import { distributionSources, readAptSources } from "./apt-sources.ts";
import { cacheFolder, installOnce, osRelease, platformKey } from "./cache.ts";
import { commandToRun } from "./command-to-run.ts";
import { PrivateApt } from "./private-apt.ts";

interface ProgramRequest {
  /** Of the program and of its package, everywhere. */
  readonly name: string;
  /** Thrown where it cannot be had. */
  readonly code: EmbeddedErrorCode;
  readonly log: Log;
  /** Default: `cacheFolder()`. */
  readonly folder?: string;
}

export interface FoundProgram {
  readonly command: string;
  /** What it needs to find the libraries that came with it. */
  readonly env: Environment;
  /** What its package was unpacked into. Undefined where it was on PATH. */
  readonly root?: string;
}

// Debian counts most servers among the programs of an administrator, and has some shells at the root.
const programFolders = ["usr/sbin", "usr/bin", "bin"];

/** Finds a program on PATH or in the cache folder, or unpacks the package of this system there. */
export async function findProgram({ name, code, log, folder = cacheFolder() }: ProgramRequest): Promise<FoundProgram> {
  const onPath = findOnPath(name);
  if (onPath !== undefined) return { command: onPath, env: {} };
  const cache = join(folder, name, platformKey());
  const unpacked = (): string | undefined => programFolders.map((part) => join(cache, part, name)).find(isProgram);
  if (unpacked() === undefined) {
    const advice = commandToRun({ brew: name, apt: name, elsewhere: name });
    if (findOnPath("apt-get") === undefined || findOnPath("dpkg-deb") === undefined) {
      throw new EmbeddedError(code, `No ${name} found. To install it: ${advice}`);
    }
    await installOnce(cache, (staging) => unpack(staging, { name, code, log }));
  }
  const command = unpacked();
  if (command === undefined) throw new EmbeddedError(code, `The package ${name} has no program ${name}`);
  return { command, env: { LD_LIBRARY_PATH: libraryPath(cache) }, root: cache };
}

async function unpack(folder: string, { name, code, log }: ProgramRequest): Promise<void> {
  const work = join(folder, "apt");
  const apt = new PrivateApt(work);
  log(`${name} is not installed: asking the archives of this system for it`);
  const messages = await apt.update(distributionSources(readAptSources(), osRelease()["VERSION_CODENAME"] ?? "stable"));
  const [version] = await apt.versionsOf(name);
  if (version === undefined) throw new EmbeddedError(code, `The archives of this system have no ${name}.\n${messages}`.trim());
  log(`Downloading ${name} ${version} (into the cache folder: nothing on the system is changed)`);
  await apt.unpack([`${name}=${version}`], folder);
  removeFolder(work);
}

/** Where the libraries are that were unpacked with a program. */
export function libraryPath(root: string): string {
  const folder = join(root, "usr", "lib");
  const below = existsSync(folder) ? readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory()) : [];
  return [folder, ...below.map((entry) => join(folder, entry.name))].join(":");
}
