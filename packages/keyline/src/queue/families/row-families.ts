import type { Database } from "../../postgres/client/database.ts";
import { FamilyTable } from "../../postgres/job/family-table.ts";
import type { JobRelay } from "../../postgres/job/job-relay.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { Listening } from "../listening.ts";
import { FamilyAdder } from "./family-adder.ts";
import type { FamilyQueue } from "./family-queue.ts";
import { FamilyReleaser } from "./family-releaser.ts";

/** A queue of this process; one of another kind has no outlet. */
interface KnownQueue extends Pick<FamilyQueue, "store" | "canceller"> {
  readonly outlet: FamilyQueue["outlet"] | undefined;
  readonly listening: Listening;
}

/** The families of all transactional queues of one Keyline. */
export class RowFamilies {
  readonly adder: FamilyAdder;
  readonly releaser: FamilyReleaser;

  constructor(
    database: Database,
    relay: JobRelay,
    {
      find,
      tellRows,
      logger,
    }: {
      readonly find: (queue: string) => KnownQueue | undefined;
      readonly tellRows: (queue: string) => Promise<void>;
      readonly logger: Logger;
    },
  ) {
    const table = new FamilyTable(database);
    this.adder = new FamilyAdder(table, relay);
    this.releaser = new FamilyReleaser({
      table,
      tellRows,
      logger,
      find: (queue) => {
        const { store, canceller, outlet, listening } = find(queue) ?? {};
        return store && canceller && outlet && listening && { store, canceller, outlet, teller: listening.teller, tally: listening.tally };
      },
    });
    relay.onFamilies(() => this.releaser.expect());
  }
}
