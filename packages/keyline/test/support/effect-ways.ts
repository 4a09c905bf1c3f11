import { Snooze, type Queue, type Worker } from "keyline";

type Jobs = Queue<string, string, true>;

export const effectsTable = "CREATE TABLE effect (queue text, data text)";
export const write = "INSERT INTO effect VALUES ($1, $2)";

interface Attempts {
  /** The data that some attempts do not end with. */
  readonly old: string;
  /** What each waits for before it goes on. */
  readonly begun: (data: string) => unknown;
}

/** Which ways an attempt can take to have an effect, all of which write what its data is. */
export const ways: Record<string, (queue: Jobs, how: Attempts) => Worker<string>> = {
  "settles by a function": (queue, { begun }) =>
    queue.work(async ({ data }, { settle }) => {
      await begun(data);
      await settle((tx) => tx.query(write, [queue.name, data]));
    }),
  "settles by a statement": (queue, { begun }) =>
    queue.work(async ({ data }, { settle }) => {
      await begun(data);
      await settle({ text: write, values: [queue.name, data] });
    }),
  "settles in a batch": (queue, { begun }) =>
    queue.workBatch(
      async (jobs, { settle }) => {
        for (const { data } of jobs) await begun(data);
        await settle(jobs, async (tx, owed) => {
          for (const { data } of owed) await tx.query(write, [queue.name, data]);
        });
      },
      { size: 3 },
    ),
  "does a step": (queue, { begun }) =>
    queue.work(async ({ data }, { step }) => {
      await begun(data);
      await step("write", (tx) => tx.query(write, [queue.name, data]).then(() => undefined));
    }),
  "fails for good where its data is old": (queue, { begun, old }) =>
    queue.work(async ({ data }, { settle }) => {
      await begun(data);
      if (data === old) throw new Error("what is old will not do");
      await settle((tx) => tx.query(write, [queue.name, data]));
    }),
  "sleeps where its data is old": (queue, { begun, old }) =>
    queue.work(async (job, { settle }) => {
      await begun(job.data);
      if (job.data === old) await job.sleep("nap", 3_600_000);
      await settle((tx) => tx.query(write, [queue.name, job.data]));
    }),
  "is put off where its data is old": (queue, { begun, old }) =>
    queue.work(async ({ data }, { settle }) => {
      await begun(data);
      if (data === old) throw new Snooze(3_600_000);
      await settle((tx) => tx.query(write, [queue.name, data]));
    }),
};
