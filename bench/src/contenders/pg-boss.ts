import { PgBoss, type Job } from "pg-boss";
import type { OpenEffectQueue } from "./effect-queue.ts";
import { insertEffect, insertEffects } from "./effects-table.ts";
import { inChunks } from "./in-flight.ts";
import { payloadsOf, type Payload } from "./payload.ts";
import { connectPostgres } from "./pg-connections.ts";
import type { RunningWorker } from "./plain-queue.ts";

const countUnfinished = "SELECT count(*)::integer AS jobs FROM pgboss.job WHERE name = $1 AND state <> 'completed'";

// Two of its documented ways to commit effects and completion together, each where it is the faster one:
// - a batch: `transactional: true`, where handler and completion of a whole batch share one transaction. Two workers, so
//   that one fetches while the other commits: more bring nothing on two cores;
// - job by job: batches again, for the fetch (a worker with batchSize 1 polls twice a second at most), but a
//   transaction for each job, in which its effect is written and `complete(..., { db })` ends it; 20 at a time, as many
//   as the pool has connections. Fetching ourselves, one job or many, is slower, and so are two workers.
// Bursts (`burstWhenBatchFull`) fetch again at once as long as batches come back full, so polling costs it nothing.
// Schedules are off since there are none; supervision stays on, for without it jobs of a dead worker would be lost.
export const open: OpenEffectQueue = async ({ postgres, name, payloadBytes }) => {
  const boss = new PgBoss({ connectionString: postgres, max: 30, schedule: false });
  boss.on("error", (error) => console.error(error));
  await boss.start();
  await boss.createQueue(name);
  const pool = connectPostgres(postgres, 20);
  const payload = payloadsOf(payloadBytes);

  const workInBatches = (onHandled: (jobs: number) => void): Promise<string> =>
    boss.work(name, { ...bursts, transactional: true, batchSize: 100, localConcurrency: 2 }, async (jobs: readonly Job<Payload>[], tx) => {
      await tx.executeSql(insertEffects, [jobs.map((job) => job.data.seq)]);
      onHandled(jobs.length);
    });

  const settle = async (job: Job<Payload>): Promise<void> => {
    const client = await pool.connect();
    try {
      await client.query("BEGIN");
      await client.query(insertEffect, [job.data.seq]);
      await boss.complete(name, job.id, null, { db: { executeSql: (text, values) => client.query(text, values) } });
      await client.query("COMMIT");
      client.release();
    } catch (error) {
      client.release(true);
      throw error;
    }
  };
  const workJobByJob = (onHandled: (jobs: number) => void): Promise<string> =>
    boss.work<Payload>(name, { ...bursts, batchSize: 100 }, async (jobs) => {
      await Promise.all(jobs.map(settle));
      onHandled(jobs.length);
    });

  return {
    addAll: (jobs) =>
      inChunks({ from: 0, to: jobs }, 1_000, (sequence) =>
        boss.insert(
          name,
          sequence.map((seq) => ({ data: payload(seq) })),
        ),
      ),
    work: async (mode, onHandled): Promise<RunningWorker> => {
      await (mode === "batch" ? workInBatches(onHandled) : workJobByJob(onHandled));
      return { stop: () => boss.offWork(name, { wait: true }) };
    },
    unfinished: async () => {
      const { rows } = await pool.query<{ jobs: number }>(countUnfinished, [name]);
      return rows[0]?.jobs ?? Number.NaN;
    },
    close: async () => {
      await boss.stop({ graceful: false });
      await pool.end();
    },
  };
};

const bursts = { burstWhenBatchFull: true, pollingIntervalSeconds: 0.5 } as const;
