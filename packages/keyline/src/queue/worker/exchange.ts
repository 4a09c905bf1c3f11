/*
 * DESIGN. The exchange is a worker's conversation with Valkey: it hands in what has ended and takes what there is room for, in one round trip.
 * - Batching without waiting: what ends while a command is under way goes with the next one (finished-jobs.ts). Up to two are under way, so that the server works on one while this process works on the other's.
 * - While there are jobs nobody blocks. Once a take brought less than asked for, and no other one is under way, one BLMOVE on the worker's second connection waits for the next job; what ends meanwhile is handed in.
 * - After every failure and every reconnect nothing is sent before the held list was read again, for which the wait is ended: reconciler.ts.
 */
import type { Logger } from "../../runtime/logger.ts";
import { isConnectionError, type ValkeyConnection } from "../../valkey/client/connection.ts";
import type { Beat } from "../../valkey/queue/leases.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import type { Gate } from "../../valkey/queue/settle-reply.ts";
import { Doubt } from "../../work/doubt.ts";
import type { Lease } from "../../work/lease.ts";
import { Pump } from "../../work/pump.ts";
import type { ExchangeEvents, ShiftExchange } from "../../work/shift-parts.ts";
import type { Trade } from "../../work/trade.ts";
import { Ahead, type Takes } from "./ahead.ts";
import { IdleWait } from "./idle-wait.ts";
import type { Disposal } from "./disposal.ts";
import { FinishedJobs } from "./finished-jobs.ts";
import { HeldJob, HeldJobs } from "./held-jobs.ts";
import type { QueuePolicy } from "../options.ts";
import { GateMemory } from "./gate-memory.ts";
import { JobEnds } from "./job-ends.ts";
import { Rounds } from "./rounds.ts";
import type { Ties } from "./ties.ts";
import { Reconciler, type Command } from "./reconciler.ts";

export interface ExchangeSetup<Data> extends Takes<Data> {
  readonly trade: Trade<HeldJob<Data>>;
  readonly store: QueueStore;
  readonly blocking: ValkeyConnection;
  readonly lease: Lease<Beat>;
  readonly blockMs: number;
  readonly policy: QueuePolicy;
  readonly ties: Ties;
  readonly logger: Logger;
  readonly events: ExchangeEvents<HeldJob<Data>>;
}

const maxUnderWay = 2;

export class Exchange<Data> implements ShiftExchange<HeldJob<Data>, Beat> {
  readonly #setup: ExchangeSetup<Data>;
  readonly #held = new HeldJobs<Data>();
  readonly #pump = new Pump(() => this.#turn());
  readonly #doubt: Doubt<HeldJob<Data>, Command>;
  readonly #reconciler: Reconciler<Data>;
  readonly #idleWait: IdleWait;
  readonly #gates = new GateMemory();
  readonly #finished: FinishedJobs<Data>;
  readonly #ends: JobEnds<Data>;
  readonly #rounds: Rounds<Data>;
  readonly #ahead: Ahead<Data>;
  readonly #stopListening: (() => void)[];
  #isEmpty = false;
  #isTaking = true;
  /** Looks at the gates that are to come: until then nobody waits. */
  #looking = 0;

  constructor(setup: ExchangeSetup<Data>) {
    this.#setup = setup;
    this.#doubt = new Doubt(setup.trade, setup.logger);
    this.#reconciler = new Reconciler(this.#held, { ...setup, doubt: this.#doubt });
    this.#idleWait = new IdleWait(setup);
    const parts = { ...setup, held: this.#held, pump: this.#pump, doubt: this.#doubt, reconciler: this.#reconciler, gates: this.#gates };
    this.#finished = new FinishedJobs({ ...parts, due: () => this.pumpSoon() });
    this.#ends = new JobEnds({ ...parts, again: (job, disposal) => this.end(job, disposal) });
    this.#rounds = new Rounds({
      ...parts,
      taken: (elements, isLetThrough) => this.#accept(elements, isLetThrough),
      fewerTaken: (missing, gate) => this.#followTake(missing, gate),
    });
    this.#ahead = new Ahead({
      ...parts,
      begin: (jobs) => this.#setup.events.taken(jobs),
      giveBack: (jobs) => this.#ends.giveBack(this.#setup.lease.name, jobs),
      goOn: () => this.pumpSoon(),
    });
    const distrust = (): void => {
      this.#doubt.raise();
      this.pumpSoon();
    };
    this.#stopListening = [setup.store.connection.onReady(distrust), this.#idleWait.onReady(distrust), () => this.#finished.close()];
  }

  get isReady(): boolean {
    return this.#setup.store.connection.isReady;
  }

  get isEmpty(): boolean {
    return this.#isEmpty && this.#looking === 0;
  }

  get isQuiet(): boolean {
    if (this.#reconciler.unsure > 0 || this.#doubt.hasPostponed || this.#reconciler.isReading) return false;
    return this.#finished.count === 0 && this.#pump.underWay === 0 && !this.#ahead.isReturning;
  }

  end(job: HeldJob<Data>, disposal: Disposal): void {
    this.#ahead.noteEnd(job);
    if (this.#doubt.isDue) {
      // The list is about to be read: this job must be known as one that ended, wherever it is found.
      this.#held.leave([job]);
      this.#reconciler.doubtEnd(job, disposal);
    } else if (disposal.kind === "settle") {
      this.#finished.add(job);
      this.pumpSoon();
    } else {
      this.#ends.send(this.#setup.lease.name, job, disposal);
    }
  }

  pumpSoon(): void {
    this.#pump.soon();
  }

  begin(): void {
    this.pumpSoon();
  }

  follow({ held, gates }: Beat): void {
    this.#doubt.compare(this.#pump.underWay === 0 ? held : 0, this.#held.size + this.#reconciler.unsure);
    if (gates !== undefined && !this.#gates.isGated) void this.lookAtGates();
    this.pumpSoon();
  }

  held(): readonly HeldJob<Data>[] {
    return this.#held.all();
  }

  reset(): readonly HeldJob<Data>[] {
    this.#pump.reset();
    this.#doubt.reset();
    this.#finished.reset();
    this.#isEmpty = false;
    this.#gates.forget();
    const unbegun = this.#ahead.reset();
    return [...this.#held.clear().filter((job) => !unbegun.has(job)), ...this.#reconciler.reset()];
  }

  async stopTaking(): Promise<void> {
    this.#isTaking = false;
    this.#ahead.giveBack();
    await this.#idleWait.endAll(this.#pump, { againMs: 200, isWanted: () => true });
  }

  until(isDone: () => boolean, signal: AbortSignal): Promise<void> {
    return this.#pump.until(isDone, signal);
  }

  close(): void {
    for (const stop of this.#stopListening) stop();
    this.#idleWait.close();
    this.#ahead.close();
    this.#doubt.stop();
    this.#setup.blocking.close();
  }

  #turn(): void {
    if (!this.#setup.lease.isHeld || this.#reconciler.isReading) return;
    if (this.#doubt.isDue) {
      if (this.#pump.underWay > 0) return;
      if (this.#idleWait.isUnderWay) void this.#idleWait.endGently(this.#pump, () => this.#doubt.isDue && this.#setup.lease.isHeld);
      else void this.#reconcile();
      return;
    }
    this.#ahead.begin();
    while (this.#pump.underWay < maxUnderWay) {
      const take = this.#mayTake ? this.#ahead.places(this.#finished.count, this.#gates.isGated) : 0;
      const finished = this.#finished.next(this.#isTaking && !this.#gates.isGated);
      if (finished.length === 0 && take === 0 && !this.#gates.isOwed) break;
      this.#rounds.send(finished, take);
    }
    // Beside a take this process might hear first of the job that comes second.
    const isCalm = this.#pump.expected === 0;
    const mayWait = isCalm && this.#isEmpty && this.#isTaking && this.#looking === 0 && this.#idleWait.mayBegin && !this.#ahead.isAlone;
    if (mayWait && this.#setup.room() > 0 && this.#setup.lease.isCertain) this.#wait();
    if (isCalm) this.#setup.events.calmed();
  }

  // Whoever makes room behind a gate asks at once whether it is let through.
  get #mayTake(): boolean {
    return this.#isTaking && (!this.#isEmpty || (this.#gates.isClosed && this.#finished.count > 0));
  }

  #followTake(missing: number, gate: Gate | undefined): void {
    if (missing === 0) return;
    this.#isEmpty = true;
    if (gate?.state !== "closed") this.#setup.events.ranEmpty();
  }

  /** The gates may have changed: looks again, and not before the wait that is under way has ended, which might take a job without a look at them. */
  lookAtGates(): Promise<void> {
    this.#ahead.giveBack();
    const isReturned = (): boolean => !this.#ahead.isReturning || !this.#setup.lease.isHeld;
    const look = (): Promise<void> => this.lookAgain().then(() => this.#pump.until(isReturned));
    return this.#whileLooking(() => look().finally(() => this.#gates.forget()));
  }

  lookAgain(): Promise<void> {
    return this.#whileLooking(() => this.#idleWait.endAll(this.#pump, { againMs: 20, isWanted: () => this.#isTaking }));
  }

  async #whileLooking(look: () => Promise<void>): Promise<void> {
    this.#looking++;
    await look().finally(() => {
      this.#looking--;
      this.#isEmpty = false;
      this.pumpSoon();
    });
  }

  #wait(): void {
    void this.#idleWait.run(this.#setup.lease.name, this.#gates.awaited, {
      isWanted: () => this.#isTaking,
      isCurrent: this.#pump.watch(),
      answered: () => this.#doubt.noteSuccess("wait"),
      woken: () => (this.#isEmpty = false),
      taken: (element) => {
        this.#isEmpty = false;
        this.#accept([element]);
      },
      failed: (error) => {
        if (isConnectionError(error)) this.#doubt.noteFailure("wait", error, { isExpected: true });
        // Whatever came meanwhile is found by taking, which needs no memory where waiting does.
        this.#isEmpty = false;
      },
      over: () => this.pumpSoon(),
    });
  }

  #accept(elements: readonly string[], isLetThrough = false): void {
    const how = { isOrdered: this.#gates.isOrdered, isDoubtful: this.#gates.isCancelling };
    const jobs = elements.map((element) => new HeldJob<Data>(element, how));
    this.#held.join(jobs);
    this.#ahead.take(jobs, { mayBegin: this.#isTaking, mayWait: !this.#gates.isGated, isLetThrough });
  }

  async #reconcile(): Promise<void> {
    await this.#reconciler.read(({ ended, again, found }) => {
      this.#isEmpty = false;
      this.#ahead.keep(new Set(this.#held.all()));
      for (const job of ended.keys()) this.#setup.events.ended(job);
      for (const [job, disposal] of again) this.end(job, disposal);
      if (found.length > 0) this.#accept(found);
    });
    this.pumpSoon();
  }
}
