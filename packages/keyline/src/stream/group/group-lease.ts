import { Lease, type LeaseEvents } from "../../work/lease.ts";
import type { Logger } from "../../runtime/logger.ts";
import { checkRights } from "../../valkey/client/rights.ts";
import { lastingFaultOf } from "../../valkey/client/faults.ts";
import { GroupLeases, type GroupBeat } from "../../valkey/stream/group-leases.ts";
import type { GroupLog } from "../../valkey/stream/group-log.ts";

const page = 200;

/** A consumer's lease. Its name is also the consumer's in the native group, which nothing that is left of an older lease has. */
export function createGroupLease(
  log: GroupLog,
  leaseMs: number,
  {
    logger,
    events,
    heldAgain,
  }: {
    readonly logger: Logger;
    readonly events: LeaseEvents<GroupBeat>;
    /** The ids of `again` that the consumer has: they are renewed and given back by name. */
    heldAgain(): readonly string[];
  },
): Lease<GroupBeat> {
  const leases = new GroupLeases(log);
  const keeper = {
    get isReady(): boolean {
      return log.connection.isReady;
    },
    whenReady: (timeoutMs: number, signal: AbortSignal) => log.connection.whenReady(timeoutMs, signal),
    onFault: (listener: (fault: Error) => void) => log.connection.onFault(listener),
    faultOf: lastingFaultOf,
    // What is left under the name before it is found by the next renewal of anybody's lease.
    async begin(name: string): Promise<void> {
      await checkRights(log.connection, "consume", log.keys.rights);
      await leases.register(name, leaseMs);
    },
    beat: (name: string) => leases.beat(name, leaseMs, heldAgain()),
    async giveBack(name: string): Promise<void> {
      for (let isMore = true; isMore;) isMore = (await leases.rescue(name, page, "leaving", heldAgain()))?.isMore ?? false;
    },
  };
  return new Lease(keeper, leaseMs, { logger, events });
}
