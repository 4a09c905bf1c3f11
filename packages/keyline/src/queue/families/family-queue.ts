import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import type { JobOutlet } from "../add/job-outlet.ts";
import type { EventTeller } from "../events/event-teller.ts";
import type { Canceller } from "../jobs/canceller.ts";
import type { Tally } from "../rates/tally.ts";

/** A queue of this process, as far as families need it. */
export interface FamilyQueue {
  readonly store: QueueStore;
  readonly canceller: Canceller;
  readonly outlet: JobOutlet;
  readonly teller: EventTeller;
  readonly tally: Tally;
}
