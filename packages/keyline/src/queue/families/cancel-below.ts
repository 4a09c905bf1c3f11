import type { Families } from "../../valkey/queue/families.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import type { Canceller } from "../jobs/canceller.ts";

interface CancelBelowParts {
  storeOf(queue: string): QueueStore;
  cancellerOf(queue: string): Canceller;
}

const pageSize = 500;

/** Cancels what a cancelled parent of a plain queue has left and what does not run. False where some may still be brought to their queues. Each child that has children ends a family itself. */
export async function cancelBelow(families: Families, family: string, { storeOf, cancellerOf }: CancelBelowParts): Promise<boolean> {
  let isWhole = true;
  for (let next: readonly [number, number] | undefined = [1, 0]; next;) {
    const page = await families.children(family, next, pageSize);
    ({ next } = page);
    const open = page.rows.flatMap((row, index) => {
      const [, queue = "", id = ""] = /^(\S+) (\S+) \+/.exec(row) ?? [];
      if (queue === "") return [];
      if (index >= page.moved) isWhole = false;
      return [{ queue, id }];
    });
    for (const [queue, some] of Map.groupBy(open, (child) => child.queue)) {
      await cancelIdle({ store: storeOf(queue), canceller: cancellerOf(queue) }, some);
    }
  }
  return isWhole;
}

/** Cancels those jobs of a queue that no worker has taken. */
export async function cancelIdle(
  { store, canceller }: { readonly store: QueueStore; readonly canceller: Canceller },
  jobs: readonly { readonly id: string }[],
): Promise<void> {
  const running = await idsRunning(store);
  const ids = jobs.map(({ id }) => id).filter((id) => !running.has(id));
  if (ids.length > 0) await canceller.cancelAll({ ids, group: undefined, state: undefined, after: undefined, before: undefined }, {});
}

/** Those that some worker has taken. */
async function idsRunning({ keys, reads, leases }: QueueStore): Promise<ReadonlySet<string>> {
  const running = new Set<string>();
  for (const worker of await leases.workers()) {
    for await (const ids of reads.ids(keys.held(worker))) for (const id of ids) running.add(id);
  }
  return running;
}
