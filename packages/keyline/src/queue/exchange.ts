/*
 * DESIGN. The exchange is a worker's conversation with Valkey: it hands in the jobs that have ended and takes as many as there is
 * room for, both in one round trip.
 *
 * - Batching without waiting: what ends while a command is under way goes with the next one. Up to two are under way, so that
 *   the server works on one while this process works on the jobs of the other.
 * - While there are jobs nobody blocks. Once a take brought less than asked for, the queue is empty, and one BLMOVE on the
 *   worker's second connection waits for the next job; what ends meanwhile is handed in without taking.
 * - After every failure and every reconnect nothing is sent before the held list was read again: reconciler.ts.
 */
import { toError } from "../runtime/errors.ts";
import type { Lease } from "../work/lease.ts";
import type { Logger } from "../runtime/logger.ts";
import { Notice } from "../runtime/waiting.ts";
import { isConnectionError, type ValkeyConnection } from "../valkey/client/connection.ts";
import type { Beat, QueueLists } from "../valkey/queue/queue-lists.ts";
import { BlockingTake } from "./blocking-take.ts";
import type { Ending } from "./disposal.ts";
import { HeldJob, HeldJobs } from "./held-jobs.ts";
import { Reconciler, type Reading } from "./reconciler.ts";

export interface ExchangeEvents<Data> {
  /** These jobs are held now and to be begun. */
  taken(jobs: readonly HeldJob<Data>[]): void;
  /** The ending took effect. */
  ended(job: HeldJob<Data>, ending: Ending): void;
  /** The job was not in the held list any more. */
  missed(job: HeldJob<Data>): void;
  /** There is no job on the queue. */
  ranEmpty(): void;
  /** No command that takes several jobs is under way: what was taken is all there is for now. */
  calmed(): void;
}

export interface ExchangeSetup<Data> {
  readonly lists: QueueLists;
  readonly blocking: ValkeyConnection;
  readonly lease: Lease<Beat>;
  /** How many more jobs can be begun. */
  readonly room: () => number;
  /** How many jobs one command takes at the most. */
  readonly largestTake: number;
  readonly blockMs: number;
  readonly logger: Logger;
  readonly events: ExchangeEvents<Data>;
}

const settled: Ending = { kind: "settle" };
const maxUnderWay = 2;
const maxFinished = 1_000;

export class Exchange<Data> {
  readonly #setup: ExchangeSetup<Data>;
  readonly #lists: QueueLists;
  readonly #lease: Lease<Beat>;
  readonly #events: ExchangeEvents<Data>;
  readonly #held = new HeldJobs<Data>();
  readonly #reconciler: Reconciler<Data>;
  readonly #blockingTake: BlockingTake;
  readonly #changed = new Notice();
  readonly #stopListening: (() => void)[];

  #finished: HeldJob<Data>[] = [];
  #underWay = 0;
  #expected = 0;
  #generation = 0;
  #isEmpty = false;
  #isBlocking = false;
  #isReconciling = false;
  #isPumpScheduled = false;
  #isTaking = true;

  constructor(setup: ExchangeSetup<Data>) {
    this.#setup = setup;
    this.#lists = setup.lists;
    this.#lease = setup.lease;
    this.#events = setup.events;
    this.#reconciler = new Reconciler(this.#held, setup);
    this.#blockingTake = new BlockingTake(setup);
    this.#stopListening = [this.#lists.connection.onReady(() => this.#distrust()), this.#blockingTake.onReady(() => this.#distrust())];
  }

  get isEmpty(): boolean {
    return this.#isEmpty;
  }

  get isQuiet(): boolean {
    return this.#finished.length === 0 && this.#underWay === 0 && !this.#reconciler.isUnsure && !this.#isBlocking && !this.#isReconciling;
  }

  /** Hands in a job whose attempt has ended. */
  end(job: HeldJob<Data>, ending: Ending): void {
    if (this.#reconciler.isDue) {
      // The list is about to be read: this job must be known as one that ended, wherever it is found.
      this.#held.leave([job]);
      this.#reconciler.doubtEnd(job, ending);
    } else if (ending.kind === "settle") {
      this.#finished.push(job);
      this.pumpSoon();
    } else {
      void this.#endOne(job, ending);
    }
  }

  /** Looks for work once what runs now has run: a whole turn's endings travel together. */
  pumpSoon(): void {
    if (this.#isPumpScheduled) return;
    this.#isPumpScheduled = true;
    queueMicrotask(() => {
      this.#isPumpScheduled = false;
      this.#pump();
    });
  }

  /** A renewal of the lease showed how many jobs the held list has. */
  compare(heldCount: number): void {
    this.#reconciler.compare(this.#underWay === 0 ? heldCount : 0);
  }

  /** What is held and not on its way back. */
  held(): readonly HeldJob<Data>[] {
    return this.#held.all();
  }

  /** Forgets everything of a lease that is lost. Returns what was held under it, for all that is known. */
  reset(): readonly HeldJob<Data>[] {
    this.#generation++;
    this.#finished = [];
    this.#expected = 0;
    this.#isEmpty = false;
    return [...this.#held.clear(), ...this.#reconciler.reset()];
  }

  /** Takes no more. Resolves when no command that may take a job is under way. */
  async stopTaking(): Promise<void> {
    this.#isTaking = false;
    while (this.#isBlocking) {
      await this.#blockingTake.end();
      if (this.#isBlocking) await this.#changed.wait(200);
    }
  }

  /** Resolves when everything that has ended is handed in, or when `signal` says not to wait. */
  async drained(signal: AbortSignal): Promise<void> {
    this.pumpSoon();
    while (!this.isQuiet && !signal.aborted) await this.#changed.wait(undefined, signal);
  }

  close(): void {
    for (const stop of this.#stopListening) stop();
    this.#blockingTake.close();
    this.#reconciler.stop();
  }

  #pump(): void {
    this.#changed.notify();
    if (!this.#lease.isHeld || this.#isReconciling) return;
    if (this.#reconciler.isDue) {
      if (this.#underWay === 0 && !this.#isBlocking) void this.#reconcile();
      return;
    }
    while (this.#underWay < maxUnderWay) {
      const room = this.#isTaking && !this.#isEmpty ? this.#setup.room() - this.#expected : 0;
      const take = Math.max(0, Math.min(room, this.#setup.largestTake));
      if (this.#finished.length === 0 && take === 0) break;
      const finished = this.#finished.splice(0, maxFinished);
      void this.#settleAndTake(finished, take);
    }
    const mayWait = this.#isTaking && !this.#isBlocking && !this.#blockingTake.isResting;
    if (this.#isEmpty && mayWait && this.#setup.room() > 0 && this.#lease.isCertain) void this.#block();
    if (this.#expected === 0) this.#events.calmed();
  }

  async #settleAndTake(finished: readonly HeldJob<Data>[], take: number): Promise<void> {
    const generation = this.#generation;
    const { places, areOldest } = this.#held.leave(finished);
    const ownIds: string[] = [];
    for (const { element } of finished) if (element?.hasOwnId) ownIds.push(element.id);
    this.#underWay++;
    this.#expected += take;
    try {
      const reply = await this.#lists.settleAndTake(this.#lease.name, places, { finished: finished.length, take, areOldest, ownIds });
      if (generation !== this.#generation) return;
      this.#reconciler.noteSuccess(finished.length > 0 && "settle", take > 0 && "take");
      this.#expected -= take;
      if (reply === "lost") {
        for (const job of finished) this.#events.missed(job);
        this.#lease.lose();
        return;
      }
      if (reply === "moved") {
        for (const job of finished) this.#reconciler.doubtEnd(job, settled);
        return this.#reconciler.doubt();
      }
      this.#noteSettled(finished, reply.missing);
      if (reply.taken.length > 0) this.#accept(reply.taken);
      if (take > 0 && reply.taken.length < take) {
        this.#isEmpty = true;
        this.#events.ranEmpty();
      }
    } catch (error) {
      if (generation !== this.#generation) return;
      this.#expected -= take;
      for (const job of finished) this.#reconciler.doubtEnd(job, settled);
      this.#reconciler.noteFailure(finished.length > 0 ? "settle" : "take", error);
    } finally {
      this.#underWay--;
      this.pumpSoon();
    }
  }

  #noteSettled(finished: readonly HeldJob<Data>[], missing: readonly number[]): void {
    const missed = new Set(missing);
    finished.forEach((job, index) => (missed.has(index) ? this.#events.missed(job) : this.#events.ended(job, settled)));
  }

  async #endOne(job: HeldJob<Data>, ending: Exclude<Ending, { kind: "settle" }>): Promise<void> {
    const generation = this.#generation;
    const [place] = this.#held.leave([job]).places;
    if (!place) return;
    this.#underWay++;
    try {
      const { name } = this.#lease;
      const isEnded =
        ending.kind === "retry"
          ? await this.#lists.retry(name, place, ending)
          : await this.#lists.bury(name, place, { letter: ending.letter, ownId: job.element?.hasOwnId ? job.element.id : "" });
      this.#reconciler.noteEnd(job);
      if (generation !== this.#generation) return;
      this.#reconciler.noteSuccess("end");
      if (isEnded) this.#events.ended(job, ending);
      else this.#events.missed(job);
    } catch (error) {
      if (generation !== this.#generation) return;
      if (isConnectionError(error)) {
        this.#reconciler.doubtEnd(job, ending);
        this.#reconciler.noteFailure("end", error);
      } else {
        this.#held.rejoin(job, place.place);
        this.#reconciler.postpone(job, error, () => this.end(job, ending));
      }
    } finally {
      this.#underWay--;
      this.pumpSoon();
    }
  }

  async #block(): Promise<void> {
    const generation = this.#generation;
    const { name } = this.#lease;
    this.#isBlocking = true;
    try {
      if (!(await this.#blockingTake.whenReady(1_000)) || !this.#isTaking || generation !== this.#generation) return;
      const raw = await this.#blockingTake.take(name);
      this.#reconciler.noteSuccess("wait");
      if (raw === null) return;
      // The lease went while this waited: the job is in a held list that nobody looks at, and was not begun.
      if (generation !== this.#generation) return void (await this.#lists.returnHeld(name, 100, "leaving"));
      this.#isEmpty = false;
      this.#accept([raw]);
    } catch (error) {
      if (isConnectionError(error)) this.#reconciler.noteFailure("wait", error);
      else this.#blockingTake.rest(toError(error), () => this.pumpSoon());
      // Whatever came meanwhile is found by taking, which needs no memory where waiting does.
      this.#isEmpty = false;
    } finally {
      this.#isBlocking = false;
      this.pumpSoon();
    }
  }

  #accept(raws: readonly string[]): void {
    const jobs = raws.map((raw) => new HeldJob<Data>(raw));
    this.#held.join(jobs);
    this.#events.taken(jobs);
  }

  #distrust(): void {
    this.#reconciler.doubt();
    this.pumpSoon();
  }

  async #reconcile(): Promise<void> {
    this.#isReconciling = true;
    const reading = await this.#reconciler.read();
    this.#isReconciling = false;
    if (reading) this.#follow(reading);
    this.pumpSoon();
  }

  #follow({ found, again, ended }: Reading<Data>): void {
    this.#isEmpty = false;
    for (const [job, ending] of ended) this.#events.ended(job, ending);
    for (const [job, ending] of again) this.end(job, ending);
    if (found.length > 0) this.#accept(found);
  }
}
