import { setTimeout as pause } from "node:timers/promises";
import { Keyline } from "keyline";
import type { Task } from "../process/stage.ts";

export interface IdleParams {
  readonly valkey: string;
  readonly postgres: string;
  /** How long to let what follows a start die down before anything counts. */
  readonly settlingMs: number;
  readonly forMs: number;
}

/** A worker of a plain queue and one of a transactional queue, both proven alive by a job, then left alone. */
export const idle: Task<IdleParams, { readonly elapsedMs: number }, { readonly woken: number }> = async (params, stage) => {
  const keyline = new Keyline({ valkey: params.valkey, postgres: params.postgres });
  await keyline.migrate();
  const queues = [keyline.queue("idle-plain"), keyline.queue("idle-transactional", { transactional: true })];
  let handled = 0;
  const runOneOnEach = async (): Promise<void> => {
    const before = handled;
    for (const queue of queues) await queue.add({});
    while (handled < before + queues.length) await pause(5);
  };
  for (const queue of queues) queue.work(async () => void handled++, { concurrency: 10 });
  await runOneOnEach();
  await pause(params.settlingMs);
  await stage.measure(async () => {
    const start = performance.now();
    await pause(params.forMs);
    return { elapsedMs: performance.now() - start };
  });
  const before = handled;
  await runOneOnEach();
  await keyline.close();
  return { woken: handled - before };
};
