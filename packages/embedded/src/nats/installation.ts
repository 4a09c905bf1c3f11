import { join } from "node:path";
import { EmbeddedError } from "../errors.ts";
import { distributionSources, readAptSources } from "../install/apt-sources.ts";
import { cacheFolder, installOnce, osRelease, platformKey } from "../install/cache.ts";
import { commandToRun } from "../install/command-to-run.ts";
import { PrivateApt } from "../install/private-apt.ts";
import type { Log } from "../log.ts";
import { findOnPath, isProgram, runCommand } from "../process/command.ts";
import { checkPlatform } from "../process/platform.ts";
import { removeFolder } from "../process/private-folder.ts";

export interface NatsInstallation {
  readonly command: string;
  readonly version: string;
}

/** Finds a NATS server on PATH or in the cache folder, or downloads Debian's. Throws NATS_NOT_FOUND with the command to run. */
export async function findNats(log: Log): Promise<NatsInstallation> {
  checkPlatform();
  const command = findOnPath("nats-server") ?? (await fromArchive(log));
  const answer = await runCommand(command, ["--version"]);
  return { command, version: /v(\d+\.\d+\.\d+\S*)/.exec(answer)?.[1] ?? "unknown" };
}

async function fromArchive(log: Log): Promise<string> {
  const cache = join(cacheFolder(), "nats", platformKey());
  // Debian counts it among the programs of an administrator.
  const command = join(cache, "usr", "sbin", "nats-server");
  if (isProgram(command)) return command;
  const advice = commandToRun({ brew: "nats-server", apt: "nats-server", elsewhere: "nats-server" });
  if (findOnPath("apt-get") === undefined || findOnPath("dpkg-deb") === undefined) {
    throw new EmbeddedError("NATS_NOT_FOUND", `No nats-server found. To install it: ${advice}`);
  }
  await installOnce(cache, (staging) => unpack(staging, log));
  return command;
}

async function unpack(folder: string, log: Log): Promise<void> {
  const work = join(folder, "apt");
  const apt = new PrivateApt(work);
  log("NATS is not installed: asking the archives of this system for it");
  const messages = await apt.update(distributionSources(readAptSources(), osRelease()["VERSION_CODENAME"] ?? "stable"));
  const [version] = await apt.versionsOf("nats-server");
  if (version === undefined) {
    throw new EmbeddedError("NATS_NOT_FOUND", `The archives of this system have no nats-server.\n${messages}`.trim());
  }
  log(`Downloading NATS ${version} (into the cache folder: nothing on the system is changed)`);
  await apt.unpack([`nats-server=${version}`], folder);
  removeFolder(work);
}
