import { setTimeout as pause } from "node:timers/promises";
import { Keyline } from "keyline";
import { rest } from "../process/headway.ts";
import type { Task } from "../process/stage.ts";

export interface IdleParams {
  readonly valkey: string;
  /** Without it the worker is one of a plain queue. */
  readonly postgres?: string;
  /** How long to let what follows a start die down before anything counts. */
  readonly settlingMs: number;
  readonly forMs: number;
}

/** A worker of one kind with all its duties, proven alive by a job, then left alone, then proven alive again. */
export const idle: Task<IdleParams, { readonly elapsedMs: number }, { readonly woken: number }> = async (params, stage) => {
  const { valkey, postgres } = params;
  const keyline = new Keyline(postgres === undefined ? { valkey } : { valkey, postgres });
  if (postgres !== undefined) await keyline.migrate();
  let handled = 0;
  const count = async (): Promise<void> => void handled++;
  const add = startWorker(keyline, postgres !== undefined, count);
  const runOne = async (): Promise<void> => {
    const before = handled;
    await add();
    while (handled === before) await pause(5);
  };
  await runOne();
  await rest(params.settlingMs);
  await stage.measure(async () => {
    const start = performance.now();
    await rest(params.forMs);
    return { elapsedMs: performance.now() - start };
  });
  const before = handled;
  await runOne();
  await keyline.close();
  return { woken: handled - before };
};

/** Returns what adds a job for the worker. */
function startWorker(keyline: Keyline, transactional: boolean, handler: () => Promise<void>): () => Promise<unknown> {
  if (transactional) {
    const queue = keyline.queue("idle", { transactional });
    queue.work(handler, { concurrency: 10 });
    return () => queue.add({});
  }
  const queue = keyline.queue("idle");
  queue.work(handler, { concurrency: 10 });
  return () => queue.add({});
}
