import { Lease, type LeaseEvents } from "../work/lease.ts";
import type { Logger } from "../runtime/logger.ts";
import { lastingFaultOf } from "../valkey/client/faults.ts";
import type { Beat, QueueLists } from "../valkey/queue/queue-lists.ts";

const page = 200;

/** A worker's lease. Its name is also that of its held list, which nothing that is left of an older lease can touch. */
export function createLease(
  lists: QueueLists,
  leaseMs: number,
  { logger, events }: { readonly logger: Logger; readonly events: LeaseEvents<Beat> },
): Lease<Beat> {
  const keeper = {
    get isReady(): boolean {
      return lists.connection.isReady;
    },
    whenReady: (timeoutMs: number, signal: AbortSignal) => lists.connection.whenReady(timeoutMs, signal),
    onFault: (listener: (fault: Error) => void) => lists.connection.onFault(listener),
    faultOf: lastingFaultOf,
    async begin(name: string, before: string): Promise<void> {
      // A move that was under way when the lease was lost may have brought a job under the old name.
      if (before !== "") await lists.returnHeld(before, page, "straggler");
      await lists.register(name, leaseMs);
    },
    beat: (name: string) => lists.beat(name, leaseMs),
    async giveBack(name: string): Promise<void> {
      for (let left = 1; left > 0;) left = (await lists.returnHeld(name, page, "leaving"))?.left ?? 0;
    },
  };
  return new Lease(keeper, leaseMs, { logger, events });
}
