import { Logger, makeWorkerUtils, run } from "graphile-worker";
import { countRows } from "./count-rows.ts";
import type { OpenEffectQueue } from "./effect-queue.ts";
import { insertEffect } from "./effects-table.ts";
import { inChunks } from "./in-flight.ts";
import { payloadsOf, type Payload } from "./payload.ts";

declare global {
  namespace GraphileWorker {
    interface Tasks {
      effect: Payload;
    }
  }
}

const silent = new Logger(() => () => {});

// The configuration of its own published benchmark (its guide "Performance"): 24 jobs at a time over 25 connections, a
// local queue of 500, completions batched. It has neither batch handlers over jobs added one by one nor a way to
// complete a job in the handler's transaction: the effect is one transaction, the end of the job another, so an effect
// may happen twice. It is given the easier task, then, and in both modes the same one.
export const open: OpenEffectQueue = async ({ postgres, payloadBytes }) => {
  const worker = {
    connectionString: postgres,
    concurrentJobs: 24,
    maxPoolSize: 25,
    localQueue: { size: 500 },
    completeJobBatchDelay: 0,
    failJobBatchDelay: 0,
    logger: silent,
  };
  const utils = await makeWorkerUtils({ preset: { worker } });
  await utils.migrate();
  const payload = payloadsOf(payloadBytes);
  return {
    addAll: (jobs) =>
      inChunks({ from: 0, to: jobs }, 1_000, (sequence) =>
        utils.addJobs(sequence.map((seq) => ({ identifier: "effect", payload: payload(seq) }))),
      ),
    work: async (_mode, onHandled) => {
      const runner = await run({
        preset: { worker },
        noHandleSignals: true,
        parsedCronItems: [],
        taskList: {
          effect: async ({ seq }, helpers) => {
            await helpers.withPgClient((client) => client.query(insertEffect, [seq]));
            onHandled(1);
          },
        },
      });
      return { stop: () => runner.stop() };
    },
    unfinished: () => countRows(postgres, "graphile_worker._private_jobs"),
    close: async () => utils.release(),
  };
};
