import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EmbeddedError } from "../errors.ts";
import { type AptSource, backportsOf, distributionSources, readAptSources } from "../install/apt-sources.ts";
import { installOnce, osRelease } from "../install/cache.ts";
import { PrivateApt } from "../install/private-apt.ts";
import type { Log } from "../log.ts";
import { findOnPath, runCommand } from "../process/command.ts";

/** Installs Valkey into `cache`, or with Homebrew, and returns the path of its server. Throws VALKEY_NOT_FOUND or INSTALL_FAILED. */
export async function installValkey(cache: string, log: Log): Promise<string> {
  if (findOnPath("apt-get") !== undefined && findOnPath("dpkg-deb") !== undefined) {
    await installOnce(cache, (staging) => unpackFromArchive(staging, log));
    return join(cache, "usr", "bin", "valkey-server");
  }
  if (process.platform === "darwin" && findOnPath("brew") !== undefined) return installWithHomebrew(log);
  throw new EmbeddedError("VALKEY_NOT_FOUND", `No valkey-server (8 or newer) on PATH. Install it with: ${commandToRun()}`);
}

async function unpackFromArchive(folder: string, log: Log): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), "keyline-apt-"));
  try {
    const apt = new PrivateApt(work);
    const { version, messages } = await findVersion(apt, log);
    if (version === undefined) {
      throw new EmbeddedError(
        "VALKEY_NOT_FOUND",
        `The archives of this system have no Valkey 8 or newer. Install it by hand, so that valkey-server is on PATH.\n${messages}`.trim(),
      );
    }
    log(`Downloading Valkey ${version} into ${folder} (nothing on the system is changed)`);
    await apt.unpack([`valkey-server=${version}`, `valkey-tools=${version}`], folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Looks in the release itself first, then in its backports, which a machine seldom has among its sources. */
async function findVersion(apt: PrivateApt, log: Log): Promise<{ version: string | undefined; messages: string }> {
  const release = distributionSources(readAptSources(), osRelease()["VERSION_CODENAME"] ?? "stable");
  const backports = osRelease()["ID"] === "debian" ? backportsOf(release) : [];
  let messages = "";
  for (const sources of [release, [...release, ...backports]]) {
    log(`Valkey is not installed: asking ${namesOf(sources)} for it`);
    messages = await apt.update(sources);
    const versions = await apt.versionsOf("valkey-server");
    const version = versions.find((candidate) => Number.parseInt(candidate.replace(/^\d+:/, ""), 10) >= 8);
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

function commandToRun(): string {
  if (process.platform === "darwin") return "brew install valkey (Homebrew itself is missing, too)";
  const commands = [
    ["dnf", "sudo dnf install valkey"],
    ["zypper", "sudo zypper install valkey"],
    ["pacman", "sudo pacman -S valkey"],
    ["apk", "sudo apk add valkey"],
  ] as const;
  return commands.find(([program]) => findOnPath(program) !== undefined)?.[1] ?? "your system's package manager (package valkey)";
}
