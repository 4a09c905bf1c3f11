import { createConsole, mountFastify, type GivenStream } from "@keyline/console";
import { buildPackagePage } from "@keyline/look/build";
import type { FastifyInstance } from "fastify";
import type { Keyline } from "keyline";
import { errorsOnly } from "./logger.ts";

interface ConsoleSetup {
  /** Is closed by its owner, who registers before the console: what registers first closes last. */
  readonly keyline: Keyline;
  /** Whose record another database has than that of this Keyline. */
  readonly streams: readonly GivenStream[];
  readonly logError: (message: string) => void;
}

const path = "/console";

/** Registers the operators' page below `/console`. There is no login: it is for this machine alone. */
export async function registerConsole(site: FastifyInstance, { keyline, streams, logError }: ConsoleSetup): Promise<void> {
  const pageFolder = await buildPackagePage("@keyline/console");
  const logger = errorsOnly(logError);
  const console = createConsole({ keyline, access: "loopback", streams, pageFolder, logger });
  await mountFastify(site, console, { path });
}
