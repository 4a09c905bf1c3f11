import { findProgram } from "../install/debian-program.ts";
import type { Log } from "../log.ts";
import { type Environment, runCommand } from "../process/command.ts";
import { checkPlatform } from "../process/platform.ts";

export interface NatsInstallation {
  readonly command: string;
  readonly env: Environment;
  readonly version: string;
}

/** Finds a NATS server on PATH or in the cache folder, or downloads Debian's. Throws NATS_NOT_FOUND with the command to run. */
export async function findNats(log: Log): Promise<NatsInstallation> {
  checkPlatform();
  const { command, env } = await findProgram({ name: "nats-server", code: "NATS_NOT_FOUND", log });
  const answer = await runCommand(command, ["--version"], { env });
  return { command, env, version: /v(\d+\.\d+\.\d+\S*)/.exec(answer)?.[1] ?? "unknown" };
}
