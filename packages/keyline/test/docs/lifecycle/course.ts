import type { Keyline, Queue } from "keyline";
import { expect } from "vitest";
import { openEither, type EitherQueue } from "../../support/either-queue.ts";
import { eventually, type Stage } from "../../support/stage.ts";

type State = "blocked" | "parked" | "waiting" | "running" | "scheduled" | "completed" | "dead" | "cancelled";

interface Row {
  readonly state: string;
  readonly attempts: number;
  readonly parked: string | null;
}

/** One queue with one job, of either kind, and where that job is. */
export class Course {
  readonly queue: EitherQueue<string>;
  readonly stage: Stage;
  readonly #keyline: Keyline;
  readonly #isTransactional: boolean;

  constructor(stage: Stage, keyline: Keyline, { name, isTransactional }: { readonly name: string; readonly isTransactional: boolean }) {
    this.stage = stage;
    this.#keyline = keyline;
    this.#isTransactional = isTransactional;
    this.queue = openEither<string>(keyline, name, { transactional: isTransactional, backoff: () => 60_000, lease: 1_000 });
  }

  /** Resolves when the queue is known to both stores: what is added before that may be delivered twice. */
  async ready(): Promise<void> {
    if (!this.#isTransactional) return;
    const text = "SELECT FROM keyline.queue WHERE name = $1 AND rebuilt_epoch = epoch";
    await eventually(`${this.queue.name} is known`, async () => (await this.stage.pool.query(text, [this.queue.name])).rows.length === 1);
  }

  /** Where it is on Valkey, and on a transactional queue what its row says. "completed": it is nowhere. */
  async reach(state: State, row: string | undefined, attempts?: number): Promise<void> {
    await eventually(`${this.queue.name} is ${state}`, async () => (await this.#stateOnValkey()) === state);
    if (!this.#isTransactional) return;
    await eventually(`the row of ${this.queue.name} is ${row}`, async () => (await this.row())?.state === row);
    // After a rescue Valkey has the count first.
    if (attempts !== undefined) await eventually(`attempts are ${attempts}`, async () => (await this.row())?.attempts === attempts);
  }

  async row(): Promise<Row | undefined> {
    const { rows } = await this.stage.pool.query<Row>("SELECT state, attempts, parked FROM keyline.job WHERE queue = $1", [
      this.queue.name,
    ]);
    return rows[0];
  }

  /** Has the job die. */
  async bury(): Promise<void> {
    const worker = this.queue.work(() => Promise.reject(new Error("no")));
    await this.reach("dead", "dead", 1);
    await worker.stop();
  }

  /** With one child, on the queue that is returned. */
  async addParent(): Promise<{ readonly id: string; readonly below: EitherQueue<string> }> {
    const below = this.queueBelow();
    const { id } = await (this.queue as Queue<string, string, true>).add("job", { children: [{ queue: below, data: "child" }] });
    return { id, below };
  }

  queueBelow(): EitherQueue<string> {
    return openEither<string>(this.#keyline, `${this.queue.name}-below`, { transactional: this.#isTransactional });
  }

  /** It says what the job was, and nothing of it is left then but that it was cancelled. */
  async cancel(id: string, was: "waiting" | "scheduled" | "running"): Promise<void> {
    expect(await this.queue.cancel(id)).toBe(was);
    await this.reach("completed", undefined);
    expect((await this.queue.job(id))?.state).toBe("cancelled");
  }

  async cancelBySql(): Promise<void> {
    await this.stage.pool.query("UPDATE keyline.job SET state = 'cancelled' WHERE queue = $1", [this.queue.name]);
  }

  async #stateOnValkey(): Promise<State> {
    const { waiting, running, scheduled, blocked, parked, dead } = await this.queue.counts();
    const found = Object.entries({ waiting, running, scheduled, blocked, parked, dead }).flatMap(([state, count]) =>
      count === 1 ? [state as State] : [],
    );
    return found[0] ?? "completed";
  }
}
