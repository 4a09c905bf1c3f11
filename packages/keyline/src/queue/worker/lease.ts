import { Lease, type LeaseEvents } from "../../work/lease.ts";
import type { Logger } from "../../runtime/logger.ts";
import { checkDatabaseRights } from "../../postgres/client/rights.ts";
import { checkRights } from "../../valkey/client/rights.ts";
import { lastingFaultOf } from "../../valkey/client/faults.ts";
import type { Beat } from "../../valkey/queue/leases.ts";
import type { Gatekeeper } from "../gates/gatekeeper.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import type { AudienceWatch } from "./audience-watch.ts";
import type { JobRecord } from "./job-record.ts";

const page = 200;

/** A worker's lease. Its name is also that of its held list, which nothing that is left of an older lease can touch. */
export function createLease(
  store: QueueStore,
  leaseMs: number,
  {
    logger,
    events,
    record,
    gatekeeper,
    watch,
  }: {
    readonly logger: Logger;
    readonly events: LeaseEvents<Beat>;
    readonly record?: JobRecord | undefined;
    readonly gatekeeper?: Gatekeeper;
    readonly watch?: AudienceWatch;
  },
): Lease<Beat> {
  const keeper = {
    get isReady(): boolean {
      return store.connection.isReady;
    },
    whenReady: (timeoutMs: number, signal: AbortSignal) => store.connection.whenReady(timeoutMs, signal),
    onFault: (listener: (fault: Error) => void) => store.connection.onFault(listener),
    faultOf: lastingFaultOf,
    async begin(name: string, before: string): Promise<void> {
      // A move that was under way when the lease was lost may have brought a job under the old name.
      if (before !== "") {
        record?.noteLeaseLost();
        await store.leases.returnHeld(before, page, "straggler");
      }
      if (record) await checkDatabaseRights(record.table.database);
      await checkRights(store.connection, "work", store.keys.rights);
      await gatekeeper?.begin();
      await store.leases.register(name, leaseMs);
      // Behind it: who begins to listen from now on tells this worker, and waits for it.
      await watch?.begin(name);
    },
    beat: (name: string) => store.leases.beat(name, leaseMs),
    async giveBack(name: string): Promise<void> {
      for (let left = 1; left > 0;) left = (await store.leases.returnHeld(name, page, "leaving"))?.left ?? 0;
    },
  };
  return new Lease(keeper, leaseMs, { logger, events });
}
