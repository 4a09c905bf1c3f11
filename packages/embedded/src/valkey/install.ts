import { join } from "node:path";
import { EmbeddedError } from "../errors.ts";
import { type AptSource, backportsOf, distributionSources, readAptSources } from "../install/apt-sources.ts";
import { commandToRun } from "../install/command-to-run.ts";
import { installOnce, osRelease } from "../install/cache.ts";
import { PrivateApt } from "../install/private-apt.ts";
import type { Log } from "../log.ts";
import { findOnPath, runCommand } from "../process/command.ts";
import { removeFolder } from "../process/private-folder.ts";

interface InstallRequest {
  readonly cache: string;
  readonly oldestMajor: number;
  readonly log: Log;
}

interface FoundVersion {
  readonly version: string | undefined;
  /** What apt said while it looked. */
  readonly messages: string;
}

/** Installs Valkey into `cache`, or with Homebrew, and returns the path of its server. Throws VALKEY_NOT_FOUND or INSTALL_FAILED. */
export async function installValkey({ cache, oldestMajor, log }: InstallRequest): Promise<string> {
  if (findOnPath("apt-get") !== undefined && findOnPath("dpkg-deb") !== undefined) {
    await installOnce(cache, (staging) => unpackFromArchive(staging, oldestMajor, log));
    return join(cache, "usr", "bin", "valkey-server");
  }
  if (process.platform === "darwin" && findOnPath("brew") !== undefined) return installWithHomebrew(log);
  const command = commandToRun({ brew: "valkey", apt: "valkey-server", elsewhere: "valkey" });
  throw new EmbeddedError("VALKEY_NOT_FOUND", `No valkey-server ${oldestMajor} or newer found. To install it: ${command}`);
}

async function unpackFromArchive(folder: string, oldestMajor: number, log: Log): Promise<void> {
  const work = join(folder, "apt");
  const apt = new PrivateApt(work);
  const { version, messages } = await findVersion(apt, oldestMajor, log);
  if (version === undefined) {
    throw new EmbeddedError(
      "VALKEY_NOT_FOUND",
      `The archives of this system have no Valkey ${oldestMajor} or newer. Put a valkey-server on PATH.\n${messages}`.trim(),
    );
  }
  log(`Downloading Valkey ${version} (into the cache folder: nothing on the system is changed)`);
  await apt.unpack([`valkey-server=${version}`, `valkey-tools=${version}`], folder);
  removeFolder(work);
}

/** Looks in the release itself first, then in its backports, which a machine seldom has among its sources. */
async function findVersion(apt: PrivateApt, oldestMajor: number, log: Log): Promise<FoundVersion> {
  const release = distributionSources(readAptSources(), osRelease()["VERSION_CODENAME"] ?? "stable");
  const backports = osRelease()["ID"] === "debian" ? backportsOf(release) : [];
  let messages = "";
  for (const sources of [release, [...release, ...backports]]) {
    log(`Valkey is not installed: asking ${namesOf(sources)} for it`);
    messages = await apt.update(sources);
    const versions = await apt.versionsOf("valkey-server");
    const version = versions.find((candidate) => Number.parseInt(candidate.replace(/^\d+:/, ""), 10) >= oldestMajor);
    if (version !== undefined) return { version, messages };
    if (backports.length === 0) break;
  }
  return { version: undefined, messages };
}

function namesOf(sources: readonly AptSource[]): string {
  return [...new Set(sources.flatMap((source) => source.suites))].join(", ");
}

async function installWithHomebrew(log: Log): Promise<string> {
  log("Valkey is not installed: running brew install valkey");
  await runCommand("brew", ["install", "valkey"]);
  const prefix = await runCommand("brew", ["--prefix", "valkey"]);
  return join(prefix.trim(), "bin", "valkey-server");
}
