import type { Queue, Transaction } from "keyline";
import { openStage, type Stage } from "./stage.ts";

export type N = { readonly n: number };

interface JobRow {
  readonly id: string;
  readonly state: string;
  readonly attempts: number;
  readonly last_error: string | null;
  readonly delivered_to: string | null;
}

/** A stage with transactional queues, and a table for what their handlers do. */
export interface EffectsStage extends Stage {
  /** One that nobody has used, with three attempts 10 ms apart. */
  nextQueue(): Queue<N, N, true>;
  write(tx: Transaction, queue: string, n: number): Promise<unknown>;
  /** What was written for the queue, in order. */
  effectsOf(queue: string): Promise<number[]>;
  rowsOf(queue: string): Promise<JobRow[]>;
  waiting(queue: string): Promise<string[]>;
}

/** On the shared servers, or on those that `open` gives, such as `openQuietStage`. */
export async function openEffectsStage(open: () => Promise<Stage> = openStage): Promise<EffectsStage> {
  const stage = await open();
  const keyline = stage.keyline();
  await keyline.migrate();
  // Without a unique constraint, so that a duplicate shows.
  await stage.pool.query("CREATE TABLE effects (queue text, n integer)");
  let queues = 0;
  return {
    ...stage,
    nextQueue: () =>
      keyline.queue<N>(`t${queues++}`, { transactional: true, maxAttempts: 3, backoff: { type: "fixed", delay: 10, jitter: 0 } }),
    write: (tx, queue, n) => tx.query("INSERT INTO effects VALUES ($1, $2)", [queue, n]),
    async effectsOf(queue) {
      const { rows } = await stage.pool.query<N>("SELECT n FROM effects WHERE queue = $1 ORDER BY n", [queue]);
      return rows.map(({ n }) => n);
    },
    async rowsOf(queue) {
      const text = "SELECT id, state, attempts, last_error, delivered_to FROM keyline.job WHERE queue = $1 ORDER BY seq";
      return (await stage.pool.query<JobRow>(text, [queue])).rows;
    },
    waiting: (queue) => stage.valkey.lrange(`${stage.prefix}:{${queue}}:waiting`, 0, -1),
  };
}
