import type { Queue } from "keyline";

/** Whether nothing of it waits, runs or is yet to come. */
export async function isEmpty(queue: Pick<Queue<number>, "counts">): Promise<boolean> {
  const { waiting, running, scheduled, blocked } = await queue.counts();
  return waiting + running + scheduled + blocked === 0;
}
