// The process of contenders that are planted: `halfway` stops after half of its jobs, `frozen` does nothing else from then on.
import { performTasks } from "../../src/process/perform-tasks.ts";
import type { Task } from "../../src/process/stage.ts";
import type { DrainParams } from "../../src/tasks/drain.ts";
import { Ledger } from "../../src/tasks/ledger.ts";

const drain: Task<DrainParams, null, null> = async ({ contender, jobs }, stage) => {
  const ledger = new Ledger(0, jobs);
  await stage.measure(async () => {
    const deliveries = contender === "whole" ? jobs : jobs / 2;
    setImmediate(() => {
      for (let seq = 0; seq < deliveries; seq++) ledger.record(seq);
      // Long enough for the bench to be told how far it is.
      if (contender === "frozen") setTimeout(blockForEver, 1_500);
    });
    await ledger.reach(jobs);
    return null;
  });
  return null;
};

function blockForEver(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

await performTasks({ drain: () => Promise.resolve(drain) });
