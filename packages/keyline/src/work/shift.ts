/*
 * DESIGN. A shift is what a worker of a queue and a consumer of a group have in common. What was taken goes one way:
 *
 *   1 taken      the exchange brought it: one place less                        exchange.ts of the shape   (Valkey)
 *   2 started    the intake made an attempt of it                               intake.ts
 *   3 judged     the runner says how it ended, the verdict what becomes of it   runner.ts, verdict.ts
 *   4 concluded  the record knows, where there is one                           the shape's own            (PostgreSQL)
 *   5 ended      the exchange took it out of what is held                       exchange.ts of the shape   (Valkey)
 *   6 reported   listeners know                                                 report.ts
 *
 * PostgreSQL is told first, then Valkey: a process that dies in between leaves the work to others, and they find it settled.
 *
 * When the lease is lost, all of it is lost: what still runs, runs in vain, and others run again what has ended and was not handed in.
 */
import { setTimeout } from "../runtime/clock.ts";
import type { Crew } from "../runtime/counters.ts";
import { KeylineError } from "../runtime/errors.ts";
import { checkOptionNames, checkTimeout } from "../runtime/options.ts";
import { Notice } from "../runtime/waiting.ts";
import type { Attempt } from "./attempt.ts";
import type { Held } from "./held.ts";
import type { Lease } from "./lease.ts";
import type { Outcome } from "./outcome.ts";
import type { Runner } from "./runner.ts";
import type { ShiftDuty, ShiftExchange, ShiftSetup } from "./shift-parts.ts";
import type { Verdict } from "./verdict.ts";

/** So many that have ended may be on their way to the record. Where handlers are quicker than it, more would not end sooner, and would be kept from others and in memory. */
const mostEnding = 2_000;
const stopOptionNames = new Set(["timeout"]);

/** Takes what there is to do and runs it until it is stopped. */
export class Shift<Unit extends Held<Work>, Work extends Attempt, Beat, Exchange extends ShiftExchange<Unit, Beat>> implements Crew {
  readonly #setup: ShiftSetup<Unit, Work, Beat, Exchange>;
  readonly #lease: Lease<Beat>;
  readonly #exchange: Exchange;
  readonly #runner: Runner<Unit, Work>;
  readonly #closeRunner: () => Promise<void> | undefined;
  readonly #intake: { begin(units: readonly Unit[]): void };
  readonly #duties: readonly ShiftDuty<Unit, Beat>[];
  /** Those that are told of each end: few are, and ends are many. */
  readonly #enders: readonly ShiftDuty<Unit, Beat>[];
  readonly #changed = new Notice();
  readonly #impatient = new AbortController();
  readonly #ended = new AbortController();
  /** Taken, and the attempt has not ended. */
  #occupied = 0;
  /** Those of them that the runner has. */
  #begun = 0;
  /** The attempt has ended, and Valkey does not know. */
  #ending = 0;
  #isIdle = false;
  #returning: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;

  constructor(setup: ShiftSetup<Unit, Work, Beat, Exchange>) {
    this.#setup = setup;
    this.#lease = setup.createLease(
      {
        began: () => this.#begin(),
        renewed: (beat) => this.#follow(beat),
        failed: (fault) => setup.report.error(fault),
        lost: () => this.#loseLease(),
      },
      () => this.#exchange,
    );
    this.#exchange = setup.createExchange({
      lease: this.#lease,
      room: () => this.#room(),
      events: {
        taken: (units) => this.#take(units),
        ended: (unit) => this.#end(unit),
        missed: (unit) => this.#miss(unit),
        ranEmpty: () => this.#noteEmpty(),
        calmed: () => this.#runner.flush(),
      },
    });
    const runner = setup.createRunner(() => this.#confirmLease());
    runner.watch?.({ room: () => this.#exchange.pumpSoon(), fault: (error) => setup.report.error(error) });
    this.#closeRunner = () => runner.close?.();
    this.#runner = setup.rehearsal?.hold(runner) ?? runner;
    this.#intake = setup.createIntake(
      {
        start: (unit, attempt) => this.#start(unit, attempt),
        refuse: (unit, verdict) => this.#conclude(unit, verdict),
        done: () => this.#runner.flush(),
      },
      this.#ended.signal,
    );
    const duties = setup.createDuties({ lease: this.#lease, exchange: this.#exchange });
    this.#duties = setup.rehearsal ? [...duties, setup.rehearsal.follow(setup.trade, this.#exchange)] : duties;
    this.#enders = this.#duties.filter((duty) => duty.noteEnded);
    for (const duty of this.#duties) duty.start();
    setup.counts.crews.add(this);
    this.#lease.start();
  }

  get running(): number {
    return this.#begun;
  }

  get capacity(): number {
    return this.#setup.capacity;
  }

  /** See `Worker.stop`. */
  async stop(options: { readonly timeout?: number } = {}): Promise<void> {
    checkOptionNames("stop", options, stopOptionNames);
    checkTimeout(options.timeout, 0);
    if (options.timeout !== undefined) setTimeout(() => this.#impatient.abort(), options.timeout).unref();
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  #room(): number {
    const store = this.#setup.recordStore;
    const room = this.#runner.room(this.#occupied);
    if (!store) return room;
    if (store.isAvailable) return Math.min(room, mostEnding - this.#ending);
    // Nobody takes what could not be ended.
    this.#returning ??= store.whenAvailable(this.#ended.signal).then(() => {
      this.#returning = undefined;
      this.#exchange.pumpSoon();
    });
    return 0;
  }

  // 1. The exchange took it.
  #take(units: readonly Unit[]): void {
    this.#isIdle = false;
    this.#occupied += units.length;
    this.#intake.begin(units);
  }

  // 2. The intake found it fit to run.
  #start(unit: Unit, attempt: Work): void {
    if (unit.phase === "running" && !this.#stopping) {
      this.#begun++;
      this.#runner.run(unit, attempt, this.#judge);
    } else {
      // It took so long to look at that the lease went, or the shift is to end: then it is given back.
      this.#occupied--;
      this.#exchange.pumpSoon();
    }
  }

  // 3. The runner says how the attempt ended.
  readonly #judge = (unit: Unit, outcome: Outcome): void => {
    this.#begun--;
    this.#conclude(unit, this.#setup.verdictOf(unit, outcome));
  };

  // 4. Its place is free; the record is to know, and then Valkey.
  #conclude(unit: Unit, verdict: Verdict): void {
    this.#occupied--;
    this.#changed.notify();
    if (this.#exchange.isEmpty) this.#noteEmpty();
    if (unit.phase === "lost") {
      // The lease went while it ran. What its handler had committed by then counts.
      if (verdict.kind !== "drop" || verdict.error) this.#setup.report.leaseLost(unit);
      else this.#setup.report.ended(unit, verdict);
      this.#exchange.pumpSoon();
      return;
    }
    unit.phase = "ended";
    unit.verdict = verdict;
    this.#ending++;
    this.#setup.conclude(unit, verdict, { exchange: this.#exchange, signal: this.#ended.signal });
  }

  // 5. Valkey knows.
  #end(unit: Unit): void {
    this.#ending--;
    for (const duty of this.#enders) duty.noteEnded?.(unit);
    if (unit.verdict) this.#setup.report.ended(unit, unit.verdict);
    this.#changed.notify();
  }

  // Or it was not held any more.
  #miss(unit: Unit): void {
    this.#ending--;
    this.#setup.lostAtEnd(unit);
    this.#changed.notify();
  }

  #noteEmpty(): void {
    for (const duty of this.#duties) duty.noteEmpty?.();
    if (this.#occupied > 0 || this.#isIdle) return;
    this.#isIdle = true;
    this.#setup.report.idle();
  }

  #begin(): void {
    this.#exchange.begin();
    for (const duty of this.#duties) duty.noteBegun?.();
  }

  #follow(beat: Beat): void {
    this.#exchange.follow(beat);
    for (const duty of this.#duties) duty.follow?.(beat);
  }

  async #confirmLease(): Promise<void> {
    if (!this.#lease.isCertain && this.#lease.isHeld) await this.#lease.confirm();
  }

  #loseLease(): void {
    const { trade, report, logger, counts } = this.#setup;
    counts.leasesLost++;
    const error = new KeylineError("LEASE_LOST", `A ${trade.role} of ${trade.place} lost its lease: others have what it held`);
    let running = 0;
    for (const unit of this.#exchange.reset()) {
      if (unit.phase === "running") {
        unit.attempt?.abort(error);
        running++;
      } else {
        this.#setup.lostAtEnd(unit);
      }
      unit.phase = "lost";
    }
    this.#ending = 0;
    this.#changed.notify();
    logger.warn({ ...trade.fields, running }, `a ${trade.role} lost its lease; it begins a new one`);
    if (running > 0) report.error(error);
    if (!this.#stopping) this.#lease.renew();
  }

  async #stop(): Promise<void> {
    const { trade } = this.#setup;
    const { signal } = this.#impatient;
    await this.#exchange.stopTaking();
    this.#runner.flush();
    while (this.#begun > 0 && !signal.aborted) await this.#changed.wait(undefined, signal);
    const patienceMs = this.#exchange.isReady ? 30_000 : 2_000;
    if (this.#ending > 0 || !this.#exchange.isQuiet) {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]);
      while (this.#ending > 0 && !limit.aborted) await this.#changed.wait(undefined, limit);
      await this.#exchange.until(() => this.#exchange.isQuiet, limit);
    }
    const stopped = new KeylineError("STOPPED", `The ${trade.role} of ${trade.place} stopped; what it held is given back`);
    for (const unit of this.#exchange.held()) if (unit.phase === "running") unit.attempt?.abort(stopped);
    this.#ended.abort(stopped);
    await Promise.all(this.#duties.map((duty) => duty.stop()));
    await this.#lease.stop();
    await this.#closeRunner();
    await this.#exchange.close();
    this.#setup.counts.crews.delete(this);
  }
}
