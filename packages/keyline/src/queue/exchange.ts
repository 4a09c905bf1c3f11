/*
 * DESIGN. The exchange is a worker's conversation with Valkey: it hands in the jobs that have ended and takes as many as there is
 * room for, both in one round trip.
 *
 * - Batching without waiting: what ends while a command is under way goes with the next one. Up to two are under way, so that
 *   the server works on one while this process works on the jobs of the other.
 * - While there are jobs nobody blocks. Once a take brought less than asked for, the queue is empty, and one BLMOVE on the
 *   worker's second connection waits for the next job; what ends meanwhile is handed in without taking.
 * - A reply that got lost strands nothing. After every failure and every reconnect, once nothing is under way, the held list is
 *   read again: what is in it and unknown here was taken by the lost command and is begun now; what had ended here and is
 *   still in it is handed in once more. The same happens when renewals of the lease twice show more than is known here
 *   (a blocking command whose connection died can still move a job after the list was read).
 */
import { KeylineError, toError } from "../runtime/errors.ts";
import type { Logger } from "../runtime/logger.ts";
import { delay, Notice, retryDelay } from "../runtime/waiting.ts";
import { isConnectionError, type ValkeyConnection } from "../valkey/connection.ts";
import type { QueueLists } from "../valkey/queue-lists.ts";
import { HeldJob, HeldJobs } from "./held-jobs.ts";
import type { Lease } from "./lease.ts";

/** What becomes of a job's element when its attempt has ended. */
export type Ending =
  | { readonly kind: "settle" }
  | { readonly kind: "retry"; readonly element: string; readonly delayMs: number }
  | { readonly kind: "bury"; readonly letter: string };

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

const settled: Ending = { kind: "settle" };
const maxUnderWay = 2;
const maxFinished = 1_000;

export class Exchange<Data> {
  readonly #lists: QueueLists;
  readonly #blocking: ValkeyConnection;
  readonly #lease: Lease;
  readonly #room: () => number;
  readonly #largestTake: number;
  readonly #blockMs: number;
  readonly #logger: Logger;
  readonly #events: ExchangeEvents<Data>;
  readonly #held = new HeldJobs<Data>();
  readonly #changed = new Notice();
  readonly #stopListening: (() => void)[];

  #finished: HeldJob<Data>[] = [];
  #unsure = new Map<HeldJob<Data>, Ending>();
  #underWay = 0;
  #expected = 0;
  #generation = 0;
  #suspicions = 0;
  #isEmpty = false;
  #isBlocking = false;
  #isResyncing = false;
  #mustResync = false;
  #isPumpScheduled = false;
  #isTaking = true;
  #blockingId: number | undefined;

  constructor(options: {
    readonly lists: QueueLists;
    readonly blocking: ValkeyConnection;
    readonly lease: Lease;
    /** How many more jobs can be begun. */
    readonly room: () => number;
    /** How many jobs one command takes at the most. */
    readonly largestTake: number;
    readonly blockMs: number;
    readonly logger: Logger;
    readonly events: ExchangeEvents<Data>;
  }) {
    this.#lists = options.lists;
    this.#blocking = options.blocking;
    this.#lease = options.lease;
    this.#room = options.room;
    this.#largestTake = options.largestTake;
    this.#blockMs = options.blockMs;
    this.#logger = options.logger;
    this.#events = options.events;
    this.#stopListening = [
      this.#lists.connection.onReady(() => this.#distrust()),
      this.#blocking.onReady(() => {
        void this.#readBlockingId();
        this.#distrust();
      }),
    ];
    if (this.#blocking.isReady) void this.#readBlockingId();
  }

  /** The last take brought less than asked for. */
  get isEmpty(): boolean {
    return this.#isEmpty;
  }

  get isQuiet(): boolean {
    return this.#finished.length === 0 && this.#underWay === 0 && this.#unsure.size === 0 && !this.#isBlocking && !this.#isResyncing;
  }

  /** Hands in a job whose attempt has ended. */
  end(job: HeldJob<Data>, ending: Ending): void {
    if (this.#mustResync) {
      // The list is about to be read: this job must be known as one that ended, wherever it is found.
      this.#held.leave([job]);
      this.#unsure.set(job, ending);
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
    const isMore = heldCount > this.#held.size + this.#unsure.size && this.#underWay === 0;
    this.#suspicions = isMore ? this.#suspicions + 1 : 0;
    if (this.#suspicions >= 2) this.#distrust();
  }

  /** What is held and not on its way back. */
  held(): readonly HeldJob<Data>[] {
    return this.#held.all();
  }

  /** Forgets everything of a lease that is lost. Returns what was held under it. */
  reset(): readonly HeldJob<Data>[] {
    this.#generation++;
    this.#finished = [];
    this.#unsure.clear();
    this.#expected = 0;
    this.#isEmpty = false;
    return this.#held.clear();
  }

  /** Takes no more. Resolves when no command that may take a job is under way. */
  async stopTaking(): Promise<void> {
    this.#isTaking = false;
    while (this.#isBlocking) {
      await this.#unblock();
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
  }

  #pump(): void {
    this.#changed.notify();
    if (!this.#lease.isHeld) return;
    if (this.#mustResync) {
      if (this.#underWay === 0 && !this.#isBlocking && !this.#isResyncing) void this.#resync();
      return;
    }
    while (this.#underWay < maxUnderWay) {
      const room = this.#isTaking && !this.#isEmpty ? this.#room() - this.#expected : 0;
      const take = Math.max(0, Math.min(room, this.#largestTake));
      if (this.#finished.length === 0 && take === 0) break;
      const finished = this.#finished.splice(0, maxFinished);
      void this.#settleAndTake(finished, take);
    }
    if (this.#isEmpty && this.#isTaking && !this.#isBlocking && this.#room() > 0 && this.#lease.isCertain) void this.#block();
    if (this.#expected === 0) this.#events.calmed();
  }

  async #settleAndTake(finished: readonly HeldJob<Data>[], take: number): Promise<void> {
    const generation = this.#generation;
    const { places, areOldest } = this.#held.leave(finished);
    const ownIds = finished.flatMap((job) => (job.element?.hasOwnId ? [job.element.id] : []));
    this.#underWay++;
    this.#expected += take;
    try {
      const reply = await this.#lists.settleAndTake(this.#lease.name, places, { finished: finished.length, take, areOldest, ownIds });
      if (generation !== this.#generation) return;
      this.#expected -= take;
      if (reply === "lost") {
        for (const job of finished) this.#events.missed(job);
        this.#lease.lose();
        return;
      }
      if (reply === "moved") {
        for (const job of finished) this.#unsure.set(job, settled);
        this.#distrust();
        return;
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
      for (const job of finished) this.#unsure.set(job, settled);
      this.#noteFailure(error, "jobs could not be handed in");
    } finally {
      this.#underWay--;
      this.pumpSoon();
    }
  }

  #noteSettled(finished: readonly HeldJob<Data>[], missing: readonly number[]): void {
    if (missing.length === 0) {
      for (const job of finished) this.#events.ended(job, settled);
      return;
    }
    const missed = new Set(missing);
    finished.forEach((job, index) => (missed.has(index) ? this.#events.missed(job) : this.#events.ended(job, settled)));
  }

  async #endOne(job: HeldJob<Data>, ending: Exclude<Ending, { kind: "settle" }>): Promise<void> {
    const generation = this.#generation;
    const { places } = this.#held.leave([job]);
    const [place] = places;
    if (!place) return;
    this.#underWay++;
    try {
      const { name } = this.#lease;
      const isEnded =
        ending.kind === "retry"
          ? await this.#lists.retry(name, place, ending)
          : await this.#lists.bury(name, place, { letter: ending.letter, ownId: job.element?.hasOwnId ? job.element.id : "" });
      if (generation !== this.#generation) return;
      if (isEnded) this.#events.ended(job, ending);
      else this.#events.missed(job);
    } catch (error) {
      if (generation !== this.#generation) return;
      this.#unsure.set(job, ending);
      this.#noteFailure(error, "a job could not be handed in");
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
      if (!(await this.#blocking.whenReady(1_000)) || !this.#isTaking) return;
      const raw = await this.#lists.take(this.#blocking, name, this.#blockMs / 1_000);
      if (raw === null) return;
      if (generation === this.#generation) {
        this.#isEmpty = false;
        this.#accept([raw]);
      } else {
        // The lease went while this waited: the job is in a held list that nobody looks at.
        await this.#lists.returnHeld(name, 100, "straggler");
      }
    } catch (error) {
      this.#noteFailure(error, "waiting for a job failed");
    } finally {
      this.#isBlocking = false;
      this.pumpSoon();
      this.#changed.notify();
    }
  }

  #accept(raws: readonly string[]): void {
    const jobs = raws.map((raw) => new HeldJob<Data>(raw));
    this.#held.join(jobs);
    this.#events.taken(jobs);
  }

  #noteFailure(error: unknown, what: string): void {
    if (isConnectionError(error)) this.#logger.debug({ error: toError(error).message }, what);
    else this.#logger.error({ error: toError(error).message }, what);
    this.#distrust();
  }

  #distrust(): void {
    this.#mustResync = true;
    this.pumpSoon();
  }

  async #resync(): Promise<void> {
    const generation = this.#generation;
    this.#isResyncing = true;
    try {
      for (let tries = 0; generation === this.#generation && !(await this.#tryResync(generation)); tries++) await delay(retryDelay(tries));
    } finally {
      this.#isResyncing = false;
      this.pumpSoon();
    }
  }

  /** Returns false when it has to be tried again. */
  async #tryResync(generation: number): Promise<boolean> {
    try {
      if (!(await this.#lists.connection.whenReady(1_000))) return false;
      await this.#lease.beat();
      if (generation !== this.#generation) return true;
      const raws = await this.#lists.held(this.#lease.name);
      if (generation !== this.#generation) return true;
      const endings = this.#unsure;
      this.#unsure = new Map();
      const { unknown, stillHeld, vanished } = this.#held.reconcile(raws, [...endings.keys()]);
      this.#mustResync = false;
      this.#suspicions = 0;
      this.#isEmpty = false;
      for (const [job, ending] of endings) {
        if (stillHeld.has(job)) this.end(job, ending);
        else this.#events.ended(job, ending);
      }
      for (const job of vanished) this.#logger.debug({ id: job.element?.id }, "a job is not in the held list any more");
      if (unknown.length > 0) this.#accept(unknown);
      return true;
    } catch (error) {
      this.#logger.debug({ error: toError(error).message }, "the held list could not be read yet");
      return false;
    }
  }

  async #readBlockingId(): Promise<void> {
    this.#blockingId = undefined;
    if (this.#blocking.isCluster) return;
    try {
      this.#blockingId = await this.#blocking.client.client("ID");
    } catch (error) {
      this.#logger.debug({ error: toError(error).message }, "the id of a connection could not be read");
    }
  }

  // Unblocking gets an answer to the command that waits: either nothing, or the job it took just before. Dropping the connection
  // leaves that open, and the worker's held list has to be looked at afterwards.
  async #unblock(): Promise<void> {
    if (this.#blockingId === undefined || !this.#lists.connection.isReady) return this.#blocking.reconnect();
    try {
      await this.#lists.connection.client.client("UNBLOCK", this.#blockingId);
    } catch (error) {
      this.#logger.debug({ error: toError(error).message }, "a waiting command could not be ended");
      this.#blocking.reconnect();
    }
  }
}

/** The reason why a job that was not held any more could not be ended. */
export function leaseLost(queue: string, id: string): KeylineError {
  return new KeylineError(
    "LEASE_LOST",
    `Job ${id} of queue ${queue} is not this worker's any more: its lease ended while the worker did not answer, and the job was given to another one`,
  );
}
