import { setTimeout as pause } from "node:timers/promises";
import { Keyline } from "keyline";
import pg from "pg";
import { oneByOne } from "../process/headway.ts";
import type { Task } from "../process/stage.ts";

const untilIdleMs = 5;
const createOrders = "CREATE TABLE orders (order_id serial PRIMARY KEY, details text NOT NULL)";
const insertOrder = "INSERT INTO orders (details) VALUES ($1)";

export interface CommitToHandlerParams {
  readonly valkey: string;
  readonly postgres: string;
  readonly jobs: number;
  /** Jobs of each kind before those that count. */
  readonly lead: number;
}

export interface CommitToHandler {
  readonly ownMs: readonly number[];
  readonly foreignMs: readonly number[];
}

/**
 * Times an idle worker of a transactional queue from the moment that COMMIT has returned to the call of the handler:
 * in keyline.transaction, and in a transaction that a pg client of the caller's begins and ends itself. Producer and
 * worker share the process and its clock, each with a Keyline of its own.
 */
export const commitToHandler: Task<CommitToHandlerParams, CommitToHandler, { readonly unfinished: number }> = async (
  { valkey, postgres, jobs, lead },
  stage,
) => {
  const [producer, consumer] = [new Keyline({ valkey, postgres }), new Keyline({ valkey, postgres })];
  await producer.migrate();
  const queue = producer.queue<{ seq: number }>("commits", { transactional: true });
  const client = new pg.Client(postgres);
  await client.connect();
  await client.query(createOrders);

  let arrived: (seq: number) => void = () => {};
  consumer.queue<{ seq: number }>("commits", { transactional: true }).work(async (job) => arrived(job.data.seq));
  const time = async (seq: number, commit: () => Promise<void>): Promise<number> => {
    await pause(untilIdleMs);
    const arrival = new Promise<number>((resolve) => {
      arrived = (got) => got === seq && resolve(performance.now());
    });
    await commit();
    const committedAt = performance.now();
    // A handler may start before the caller hears of its own commit: then nothing was waited for.
    return Math.max(0, (await arrival) - committedAt);
  };
  const own = (seq: number): Promise<number> =>
    time(seq, () =>
      producer.transaction(async (tx) => {
        await tx.query(insertOrder, ["details"]);
        await queue.add({ seq }, { tx });
      }),
    );
  const foreign = (seq: number): Promise<number> =>
    time(seq, async () => {
      await client.query("BEGIN");
      await client.query(insertOrder, ["details"]);
      await queue.add({ seq }, { tx: client });
      await client.query("COMMIT");
    });

  let seq = 0;
  const alternate = async (times: number): Promise<CommitToHandler> => {
    const [ownMs, foreignMs]: [number[], number[]] = [[], []];
    await oneByOne(times, "pairs of jobs were handled", async () => {
      ownMs.push(await own(seq++));
      foreignMs.push(await foreign(seq++));
    });
    return { ownMs, foreignMs };
  };
  await alternate(lead);
  await stage.measure(() => alternate(jobs));
  await pause(untilIdleMs);
  await consumer.close();
  const { rows } = await client.query<{ jobs: number }>("SELECT count(*)::integer AS jobs FROM keyline.job");
  await client.end();
  await producer.close();
  return { unfinished: rows[0]?.jobs ?? Number.NaN };
};
