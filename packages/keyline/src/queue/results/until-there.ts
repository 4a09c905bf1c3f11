import { isOutage } from "../../postgres/client/failures.ts";
import { toError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { delay, retryDelay } from "../../runtime/waiting.ts";
import { isConnectionError, type ValkeyConnection } from "../../valkey/client/connection.ts";

const readyWithinMs = 60_000;

/** Tries until both stores are there. Undefined when `signal` was aborted before. Throws what is no outage. */
export async function untilThere<Result>(
  work: () => Promise<Result>,
  { connection, logger, signal }: { readonly connection: ValkeyConnection; readonly logger: Logger; readonly signal: AbortSignal },
): Promise<Result | undefined> {
  for (let failures = 0; !signal.aborted;) {
    try {
      await connection.ensureReady(readyWithinMs, signal);
      return await work();
    } catch (error) {
      if (signal.aborted) break;
      if (!isConnectionError(error) && !isOutage(error)) throw error;
      logger.debug({ error: toError(error).message }, "what became of jobs could not be read; it is tried again");
      await delay(retryDelay(failures++, { first: 50 }), signal);
    }
  }
  return undefined;
}
