import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { QueueParts } from "../queue-parts.ts";
import { Worker, type WorkerSetup } from "./worker.ts";

/** A worker of this queue, which is stopped with its Keyline. Throws CLOSED, and POSTGRES_REQUIRED where the queue is transactional and nobody has said where PostgreSQL is. */
export function startWorker<Data>(
  queue: string,
  parts: QueueParts,
  takes: Pick<WorkerSetup<Data>, "largestTake" | "aheadOf" | "concurrency">,
  createRunner: WorkerSetup<Data>["createRunner"],
): Worker<Data> {
  const { policy, schema, workers, listening, door } = parts;
  door.checkOpen();
  parts.record?.table.database.require();
  // Shorter than the lease, so that nobody waits under a lease that has ended.
  const blockMs = Math.min(5_000, Math.floor(policy.leaseMs / 2));
  const worker = new Worker<Data>({
    ...parts,
    ...takes,
    queue,
    blocking: parts.createBlockingConnection(blockMs),
    teller: listening.teller,
    tally: listening.tally,
    schema: schema as StandardSchemaV1<unknown, Data> | undefined,
    blockMs,
    createRunner,
    onStopped: () => {
      workers.delete(worker);
      letGo();
    },
  });
  const letGo = parts.sighting.hold();
  workers.add(worker);
  return worker;
}
