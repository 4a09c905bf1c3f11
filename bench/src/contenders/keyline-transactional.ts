import { Keyline, type Queue, type Worker } from "keyline";
import { countRows } from "./count-rows.ts";
import type { EffectMode, OpenEffectQueue } from "./effect-queue.ts";
import { insertEffect, insertEffects } from "./effects-table.ts";
import { inChunks } from "./in-flight.ts";
import { payloadsOf, type Payload } from "./payload.ts";

type Work = (queue: Queue<Payload, Payload, true>, onHandled: (jobs: number) => void) => Worker<Payload>;

// Four batches at a time: while some commit, others are taken and written. More bring nothing on two cores, where pg-boss is at its
// best with two. Job by job 20 at a time, as many as pg-boss.
const workers: Readonly<Record<EffectMode, Work>> = {
  batch: (queue, onHandled) =>
    queue.workBatch(
      async (jobs, { settle }) => {
        await settle(jobs, async (tx, owed) => {
          await tx.query(insertEffects, [owed.map((job) => job.data.seq)]);
        });
        onHandled(jobs.length);
      },
      { size: 100, concurrency: 4 },
    ),
  single: (queue, onHandled) =>
    queue.work(
      async (job, { settle }) => {
        await settle(async (tx) => {
          await tx.query(insertEffect, [job.data.seq]);
        });
        onHandled(1);
      },
      { concurrency: 20 },
    ),
  statements: (queue, onHandled) =>
    queue.work(
      async (job, { settle }) => {
        await settle({ text: insertEffect, values: [job.data.seq] });
        onHandled(1);
      },
      { concurrency: 20 },
    ),
  step: (queue, onHandled) =>
    queue.work(
      async (job, { step }) => {
        await step("effect", async (tx) => {
          await tx.query(insertEffect, [job.data.seq]);
          return job.data.seq;
        });
        onHandled(1);
      },
      { concurrency: 20 },
    ),
};

export const open: OpenEffectQueue = async ({ valkey, postgres, name, payloadBytes }) => {
  const keyline = new Keyline({ valkey, postgres });
  await keyline.migrate();
  const queue = keyline.queue<Payload>(name, { transactional: true });
  const payload = payloadsOf(payloadBytes);
  return {
    addAll: (jobs) => inChunks({ from: 0, to: jobs }, 1_000, (sequence) => queue.addMany(sequence.map((seq) => ({ data: payload(seq) })))),
    work: async (mode, onHandled) => {
      const worker = workers[mode](queue, onHandled);
      return { stop: () => worker.stop() };
    },
    unfinished: () => countRows(postgres, "keyline.job"),
    close: () => keyline.close(),
  };
};
