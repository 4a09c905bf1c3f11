import { Keyline, type Queue } from "keyline";
import { inChunks } from "./in-flight.ts";
import { familyConcurrency, type FamilyHandlers, type OpenFamilyQueue } from "./family-queue.ts";
import { payloadsOf, type Payload } from "./payload.ts";

/** Of either kind: what is used here is the same. */
type AnyQueue = Queue<Payload>;

export const open: OpenFamilyQueue = async ({ valkey, postgres, name, payloadBytes, isWithoutParent }) => {
  const keyline = new Keyline({ valkey, ...(postgres === undefined ? {} : { postgres }) });
  if (postgres !== undefined) await keyline.migrate();
  const rules = { transactional: postgres !== undefined } as { transactional: false };
  const parents: AnyQueue = keyline.queue<Payload>(`${name}-parents`, rules);
  const children: AnyQueue = keyline.queue<Payload>(name, rules);
  const payload = payloadsOf(payloadBytes);
  return {
    add: async (first, count) => {
      const range = { from: first, to: first + count };
      if (isWithoutParent) {
        await inChunks(range, 1_000, (sequence) => children.addMany(sequence.map((seq) => ({ data: payload(seq) }))));
      } else {
        const below = Array.from({ length: count }, (_, index) => ({ queue: children, data: payload(first + index) }));
        await parents.add(payload(first), { children: below });
      }
    },
    work: async (handlers) => {
      const workers = [
        children.work(({ data }) => (handlers.child(data.seq), data.seq), { concurrency: familyConcurrency }),
        ...(isWithoutParent ? [] : [workParents(parents, handlers)]),
      ];
      return { stop: async () => void (await Promise.all(workers.map((worker) => worker.stop()))) };
    },
    close: () => keyline.close(),
  };
};

function workParents(parents: AnyQueue, handlers: FamilyHandlers): ReturnType<AnyQueue["work"]> {
  return parents.work(async (job) => {
    handlers.parent();
    const values: number[] = [];
    for await (const { value } of job.children<number>()) if (value !== undefined) values.push(value);
    handlers.values(values);
  });
}
