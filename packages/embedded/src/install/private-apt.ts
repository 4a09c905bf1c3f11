import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "../process/command.ts";
import { type AptSource, formatStanzas } from "./apt-sources.ts";

/**
 * apt with lists and downloads in a folder of its own: it needs no root and changes nothing on the system. It reads the system's
 * status file, so it knows which shared libraries are missing, and it verifies signatures like the system's own apt.
 */
export class PrivateApt {
  readonly #sourcesFile: string;
  readonly #configFile: string;
  readonly #archives: string;

  constructor(folder: string) {
    this.#sourcesFile = join(folder, "archive.sources");
    this.#configFile = join(folder, "apt.conf");
    this.#archives = join(folder, "cache", "archives");
    for (const part of ["state/lists/partial", "cache/archives/partial"]) mkdirSync(join(folder, part), { recursive: true });
    writeFileSync(this.#configFile, configuration(folder, this.#sourcesFile));
  }

  /** Reads the package lists of these archives. An archive that does not answer is as good as one without packages. */
  async update(sources: readonly AptSource[]): Promise<string> {
    writeFileSync(this.#sourcesFile, formatStanzas(sources));
    try {
      return await this.#run("apt-get", "update");
    } catch (error) {
      return String(error);
    }
  }

  /** The versions of a package that the archives have, newest first. */
  async versionsOf(name: string): Promise<readonly string[]> {
    const table = await this.#run("apt-cache", "madison", name);
    return table.split("\n").flatMap((row) => row.split("|")[1]?.trim() ?? []);
  }

  /** Downloads packages ("name=version") with those they need and the system lacks, and unpacks all of them into `folder`. */
  async unpack(packages: readonly string[], folder: string): Promise<void> {
    const flags = ["--yes", "--download-only", "--reinstall", "--no-install-recommends"];
    await this.#run("apt-get", "install", ...flags, ...packages);
    for (const file of readdirSync(this.#archives).filter((name) => name.endsWith(".deb"))) {
      await runCommand("dpkg-deb", ["--extract", join(this.#archives, file), folder]);
    }
  }

  #run(command: string, ...args: readonly string[]): Promise<string> {
    return runCommand(command, ["--config-file", this.#configFile, ...args], {
      env: { LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" },
    });
  }
}

// Read after the system's own configuration, so its proxy settings hold. The hooks cleared are those by which the system reacts to
// changes of its own state.
function configuration(folder: string, sourcesFile: string): string {
  return `
Dir::State "${folder}/state";
Dir::State::status "/var/lib/dpkg/status";
Dir::Cache "${folder}/cache";
Dir::Etc::sourcelist "${sourcesFile}";
Dir::Etc::sourceparts "-";
Debug::NoLocking "true";
Acquire::AllowInsecureRepositories "false";
APT::Get::AllowUnauthenticated "false";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Install-Pkgs;
#clear DPkg::Post-Invoke;
`;
}
