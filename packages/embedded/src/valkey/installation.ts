import { dirname, join } from "node:path";
import { EmbeddedError } from "../errors.ts";
import { cacheFolder, platformKey } from "../install/cache.ts";
import { libraryPath } from "../install/debian-program.ts";
import type { Log } from "../log.ts";
import { type Environment, findOnPath, isProgram, runCommand } from "../process/command.ts";
import { checkPlatform } from "../process/platform.ts";
import { installValkey } from "./install.ts";

/** A Valkey server program on this machine. */
export interface ValkeyInstallation {
  readonly command: string;
  readonly env: Environment;
  readonly version: string;
  /** "valkey-server 8.0.1 from /usr/bin" */
  readonly source: string;
}

const oldestMajor = 8;

let found: Promise<ValkeyInstallation> | undefined;

/** Finds Valkey on PATH or in the cache folder, or installs it. Throws VALKEY_NOT_FOUND with the command to run. */
export function findValkey(log: Log): Promise<ValkeyInstallation> {
  checkPlatform();
  found ??= search(log).catch((error: unknown) => {
    found = undefined;
    throw error;
  });
  return found;
}

async function search(log: Log): Promise<ValkeyInstallation> {
  const onPath = findOnPath("valkey-server");
  if (onPath !== undefined) {
    try {
      return await inspectValkey(onPath);
    } catch (error) {
      log(`${onPath} is not used: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  const cache = join(cacheFolder(), "valkey", platformKey());
  return inCache(cache) ?? (await inspectValkey(await installValkey({ cache, oldestMajor, log }), cache));
}

function inCache(cache: string): Promise<ValkeyInstallation> | undefined {
  const command = join(cache, "usr", "bin", "valkey-server");
  return isProgram(command) ? inspectValkey(command, cache) : undefined;
}

/** Asks the program for its version. Throws VALKEY_NOT_FOUND for anything that is not Valkey 8 or newer, such as Redis under its name. */
export async function inspectValkey(command: string, root?: string): Promise<ValkeyInstallation> {
  const env = root === undefined ? {} : { LD_LIBRARY_PATH: libraryPath(root) };
  const answer = await runCommand(command, ["--version"], { env });
  const version = /^Valkey server v=(\d+\.\d+\.\d+\S*)/.exec(answer)?.[1];
  if (version === undefined) throw new EmbeddedError("VALKEY_NOT_FOUND", `it says "${answer.trim()}", which is not Valkey`);
  if (Number.parseInt(version, 10) < oldestMajor) {
    throw new EmbeddedError("VALKEY_NOT_FOUND", `it is Valkey ${version}, and a private server is ${oldestMajor} or newer`);
  }
  return { command, env, version, source: `valkey-server ${version} from ${dirname(command)}` };
}
