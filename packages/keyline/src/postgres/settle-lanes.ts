/*
 * DESIGN. Single settles of one process share transactions when they come faster than PostgreSQL commits, because beginning and
 * committing costs more than most effects do.
 *
 * - A settle that finds a free lane goes at once, alone. While all lanes are busy settles wait, and a lane that becomes free
 *   takes those that wait, one after the other, into one transaction: batching without waiting.
 * - There are two lanes, and a settle that has waited for `patienceMs` gets one more for itself. A group is as large as lately
 *   fitted into `groupMs`, so slow effects run alone and side by side as they would without lanes, and quick ones share.
 * - In a shared transaction each job's row is deleted right before its own effects are written: whatever a function does to the
 *   transaction, no job is settled whose effects were not written. What has not begun after `groupMs` waits again.
 * - Sharing is a bet: when anything fails, all of it is rolled back, and each settle is made again alone, as `settleJobs` does. So
 *   the effects of one job that fail take no neighbour down, and every error reaches the one who caused it.
 */
import type { PoolClient } from "pg";
import { toError } from "../runtime/errors.ts";
import { commit, rollBack } from "./commit.ts";
import type { JobTable } from "./job-table.ts";
import { deleteRows, settleJobs, unlessAborted, type HeldJob } from "./settlement.ts";

interface Request {
  readonly job: HeldJob;
  readonly effects: (tx: PoolClient) => Promise<void>;
  readonly signal: AbortSignal | undefined;
  readonly resolve: (isOurs: boolean) => void;
  readonly reject: (error: Error) => void;
}

const maxLanes = 2;
const patienceMs = 20;
const largestGroup = 50;
const groupMs = 20;

export class SettleLanes {
  readonly #table: JobTable;
  #waiting: Request[] = [];
  #lanes = 0;
  #timer: NodeJS.Timeout | undefined;
  /** How long the effects of one job have taken lately: a moving average. */
  #usualMs = 1;

  constructor(table: JobTable) {
    this.#table = table;
  }

  /** Ends the job together with its effects. True when this call did, false when it was settled before. */
  settle(job: HeldJob, effects: (tx: PoolClient) => Promise<void>, signal?: AbortSignal): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ job, effects, signal, resolve, reject });
      if (this.#lanes < maxLanes) void this.#runLane();
      else this.#openLaneLater();
    });
  }

  #openLaneLater(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const request = this.#waiting.shift();
      if (request) void this.#settleAlone(request);
      if (this.#waiting.length > 0) this.#openLaneLater();
    }, patienceMs);
  }

  async #runLane(): Promise<void> {
    this.#lanes++;
    while (this.#waiting.length > 0) {
      const share = Math.ceil(this.#waiting.length / this.#lanes);
      const fitting = Math.max(1, Math.floor(groupMs / this.#usualMs));
      const group = this.#waiting.splice(0, Math.min(share, fitting, largestGroup));
      const [first] = group;
      if (group.length === 1 && first) await this.#settleAlone(first);
      else await this.#settleTogether(group);
    }
    this.#lanes--;
  }

  async #settleAlone({ job, effects, signal, resolve, reject }: Request): Promise<void> {
    const timedEffects = async (tx: PoolClient): Promise<void> => {
      const begun = performance.now();
      await effects(tx);
      this.#noteDuration(performance.now() - begun);
    };
    try {
      const settled = await settleJobs(this.#table, [job], { effects: timedEffects, ...(signal ? { signal } : {}) });
      resolve(settled.has(job.id));
    } catch (error) {
      reject(toError(error));
    }
  }

  async #settleTogether(group: Request[]): Promise<void> {
    const outcomes = new Map<Request, boolean>();
    // One that takes long does not hold those behind it.
    const patience = setTimeout(() => {
      this.#waiting.unshift(...group.splice(0));
      if (this.#waiting.length > 0) this.#openLaneLater();
    }, groupMs);
    try {
      await this.#tryTogether(group, outcomes);
      for (const [request, isOurs] of outcomes) request.resolve(isOurs);
    } catch {
      await Promise.all([...outcomes.keys(), ...group.splice(0)].map((request) => this.#settleAlone(request)));
    } finally {
      clearTimeout(patience);
    }
  }

  /** Takes from the group, settles, and commits what it got. What it has begun with, and what that came to, is in `outcomes`. */
  async #tryTogether(group: Request[], outcomes: Map<Request, boolean>): Promise<void> {
    const { database } = this.#table;
    const client = await database.connect();
    let isClean = false;
    let isAborted = false;
    try {
      let begin: Promise<unknown> | undefined = client.query("BEGIN");
      let xid: string | undefined;
      for (let request = group.shift(); request; request = group.shift()) {
        outcomes.set(request, false);
        const [deletion] = await Promise.all([deleteRows(this.#table, client, [request.job]), begin]);
        begin = undefined;
        if (deletion.owed.size === 0) continue;
        xid ??= deletion.xid;
        outcomes.set(request, true);
        const begun = performance.now();
        try {
          await unlessAborted(request.effects(client), request.signal);
        } finally {
          isAborted = request.signal?.aborted ?? false;
        }
        this.#noteDuration(performance.now() - begun);
        if (client.getTransactionStatus?.() !== "T") throw new Error("the transaction is not open any more");
      }
      isClean = await commit(database, client, xid);
    } catch (error) {
      isClean = !isAborted && (await rollBack(client));
      throw isClean ? error : database.explain(error);
    } finally {
      client.release(!isClean);
    }
  }

  #noteDuration(ms: number): void {
    this.#usualMs += (ms - this.#usualMs) * 0.1;
  }
}
