import type { Logger } from "../../runtime/logger.ts";
import type { ValkeyConnection } from "./connection.ts";

/**
 * Warns of a server that throws keys away when it is full, once for each policy that it has at a connect: lists of jobs, histories and what was
 * noted about repetitions would be gone, and nobody told. Where the user may not ask, nothing is said; of a cluster one node is asked.
 */
export function warnOfEviction(connection: ValkeyConnection, logger: Logger): void {
  const told = new Set<string>();
  const look = async (): Promise<void> => {
    const policy = /^maxmemory_policy:(\S+)/m.exec(await connection.client.info("memory"))?.[1] ?? "noeviction";
    if (policy === "noeviction" || told.has(policy)) return;
    told.add(policy);
    logger.warn({ policy }, "Valkey throws away jobs, messages and events when its memory is full: set its maxmemory-policy to noeviction");
  };
  // It is advice: what comes between is seen by whoever has something to do there.
  connection.onReady(() => void look().catch(() => undefined));
}
