/*
 * DESIGN. A consumer, from taking an entry to its end:
 *
 *   exchange   takes entries for this consumer                                    (Valkey)
 *   intake     decodes them, and leaves out what is settled already
 *   runner     calls the handler
 *   verdict    says what the outcome comes to                                     (work/verdict.ts)
 *   record     writes dead letters down, on a transactional stream                (PostgreSQL)
 *   exchange   ends the entry                                                     (Valkey)
 *
 * First what PostgreSQL has to know, then Valkey: who dies in between leaves the entry to others, and those find it settled.
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { KeylineError } from "../../runtime/errors.ts";
import type { Lease } from "../../work/lease.ts";
import type { Logger } from "../../runtime/logger.ts";
import { checkOptionNames, checkTimeout } from "../../runtime/options.ts";
import type { Outcome } from "../../work/outcome.ts";
import { judgeOutcome, type Verdict } from "../../work/verdict.ts";
import { Notice } from "../../runtime/waiting.ts";
import type { GroupBeat, GroupLog } from "../../valkey/stream/group-log.ts";
import { ConsumerReport, type ConsumerEvents } from "./consumer-report.ts";
import { BacklogFiller } from "./backlog-filler.ts";
import { letterOf } from "./dead-letter.ts";
import type { EntryAttempt } from "./entry-attempt.ts";
import { Exchange } from "./exchange.ts";
import { SettleOnce } from "./entry-settle.ts";
import { FloorMover } from "./floor-mover.ts";
import { createGroupLease } from "./group-lease.ts";
import type { GroupRecord } from "./group-record.ts";
import type { Ending, HeldEntry } from "./held-entry.ts";
import { Intake } from "./intake.ts";
import type { Tails } from "./arrivals.ts";
import type { ConsumePolicy } from "./options.ts";
import { Rescuer } from "./rescuer.ts";
import { Runner, type ConsumeHandler, type RunningEntry } from "./runner.ts";

export interface ConsumerSetup<Data> {
  readonly stream: string;
  readonly log: GroupLog;
  readonly tails: Tails;
  readonly policy: ConsumePolicy;
  readonly schema: StandardSchemaV1<unknown, Data> | undefined;
  readonly handler: ConsumeHandler<Data>;
  /** Only on a transactional stream. */
  readonly record: GroupRecord | undefined;
  readonly logger: Logger;
  onStopped(): void;
}

// So many entries does one command take at the most, so that the server answers others in between.
const largestTake = 500;
const stopOptionNames = new Set(["timeout"]);
const finish: Ending = { kind: "finish" };

/** Takes entries of a stream for one consumer group, and runs them until it is stopped. */
export class Consumer<Data> {
  readonly #setup: ConsumerSetup<Data>;
  readonly #report: ConsumerReport<Data>;
  readonly #lease: Lease<GroupBeat>;
  readonly #exchange: Exchange<Data>;
  readonly #runner: Runner<Data>;
  readonly #intake: Intake<Data>;
  readonly #rescuer: Rescuer;
  readonly #floor: FloorMover | undefined;
  readonly #backlog: BacklogFiller | undefined;
  readonly #changed = new Notice();
  readonly #impatient = new AbortController();
  readonly #abandoned = new AbortController();
  /** Entries that were taken and whose attempt has not ended. */
  #occupied = 0;
  /** Those of them whose handler was called. */
  #begun = 0;
  /** Entries whose attempt has ended and of which Valkey does not know. */
  #ending = 0;
  #isIdle = false;
  #returning: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;

  /** @internal */
  constructor(setup: ConsumerSetup<Data>) {
    const { log, logger, policy, record, stream } = setup;
    this.#setup = setup;
    this.#report = new ConsumerReport({ stream, group: log.name, logger });
    this.#lease = createGroupLease(log, policy.leaseMs, {
      logger,
      heldAgain: () => this.#exchange.heldAgain(),
      events: {
        began: () => this.#exchange.doubt(),
        renewed: (beat) => this.#followBeat(beat),
        lost: () => this.#dropLease(),
      },
    });
    this.#exchange = new Exchange<Data>({
      ...setup,
      lease: this.#lease,
      leaseMs: policy.leaseMs,
      room: () => this.#room(),
      largestTake: Math.min(largestTake, Math.ceil(policy.concurrency / 2)),
      attach: () => this.#attach(),
      hasRecord: record !== undefined,
      events: {
        taken: (entries) => this.#begin(entries),
        ended: (held) => this.#noteEnded(held),
        missed: (held) => this.#noteMissed(held),
        ranEmpty: () => this.#noteEmpty(),
      },
    });
    this.#runner = new Runner({
      handler: setup.handler,
      timeoutMs: policy.timeoutMs,
      createSettle: record && ((running) => new SettleOnce(running, { record, confirmLease: () => this.#confirmLease() })),
    });
    this.#intake = new Intake({
      ...setup,
      group: log.name,
      findSettled: record && ((held) => record.findSettled(held, this.#abandoned.signal)),
      isDoubtful: (held) => record?.isDoubtful(held) ?? false,
      start: (held, entry) => this.#start(held, entry),
      refuse: (held, verdict) => this.#finish(held, verdict),
    });
    this.#rescuer = new Rescuer(log, { logger, onSwept: () => this.#exchange.doubt() });
    this.#floor = record && new FloorMover(record, { logger, onLost: (loss) => this.#report.lost(loss) });
    this.#backlog = record && new BacklogFiller(log, record, { logger, onSwitched: () => this.#exchange.detach() });
    for (const duty of [this.#rescuer, this.#floor, this.#backlog, this.#lease]) duty?.start();
  }

  /** Calls `listener` at every such event until the returned function is called. Errors without a listener are logged. */
  on<Name extends keyof ConsumerEvents<Data> & string>(name: Name, listener: (...values: ConsumerEvents<Data>[Name]) => void): () => void {
    return this.#report.on(name, listener);
  }

  /**
   * Takes no more entries, waits for those that run, and gives back what has not started. After `timeout` milliseconds (default: no
   * limit) the signals of those that still run are aborted, and they are given back too, without counting the attempt. May be
   * called again: of several timeouts the first to end counts. Throws INVALID_OPTION.
   */
  async stop(options: { readonly timeout?: number } = {}): Promise<void> {
    checkOptionNames("stop", options, stopOptionNames);
    checkTimeout(options.timeout, 0);
    if (options.timeout !== undefined) setTimeout(() => this.#impatient.abort(), options.timeout).unref();
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  #room(): number {
    const database = this.#setup.record?.database;
    if (!database || database.isAvailable) return this.#setup.policy.concurrency - this.#occupied;
    // Nobody takes an entry whose end could not be recorded.
    this.#returning ??= database.whenAvailable(this.#abandoned.signal).then(() => {
      this.#returning = undefined;
      this.#exchange.pumpSoon();
    });
    return 0;
  }

  async #attach(): Promise<void> {
    const { log, policy, record } = this.#setup;
    if (record) await record.attach(policy.start);
    else await log.attach(policy.start, { hasRecord: false });
    this.#backlog?.look();
  }

  async #confirmLease(): Promise<void> {
    if (!this.#lease.isCertain && this.#lease.isHeld) await this.#lease.confirm();
  }

  #begin(entries: readonly HeldEntry<Data>[]): void {
    this.#isIdle = false;
    this.#occupied += entries.length;
    this.#intake.begin(entries);
  }

  #start(held: HeldEntry<Data>, entry: EntryAttempt<Data>): void {
    if (held.phase === "running" && !this.#stopping) {
      this.#begun++;
      this.#runner.run({ held, entry }, this.#judge);
    } else {
      // It took so long to look at that the lease went, or the consumer is to stop: then it is given back.
      this.#occupied--;
      this.#exchange.pumpSoon();
    }
  }

  readonly #judge = ({ held }: RunningEntry<Data>, outcome: Outcome): void => {
    this.#begun--;
    this.#finish(held, judgeOutcome(held.attempt - 1, outcome, this.#setup.policy));
  };

  /** The attempt is over: frees its place and sees to the entry's end. */
  #finish(held: HeldEntry<Data>, verdict: Verdict): void {
    this.#occupied--;
    this.#changed.notify();
    if (this.#exchange.isEmpty) this.#noteEmpty();
    if (held.phase === "lost") {
      // Its lease went while it ran.
      if (verdict.kind !== "drop" || verdict.error) this.#report.leaseLost(held);
      this.#exchange.pumpSoon();
      return;
    }
    held.phase = "ended";
    held.verdict = verdict;
    this.#ending++;
    const { record } = this.#setup;
    if (record?.isToBeNoted(held, verdict)) void this.#note(held, verdict, record);
    else this.#exchange.end(held, this.#endingOf(held, verdict));
  }

  async #note(held: HeldEntry<Data>, verdict: Verdict, record: GroupRecord): Promise<void> {
    const noted = await record.note(held, verdict, { signal: this.#abandoned.signal, onError: (error) => this.#report.error(error) });
    if (!noted || held.phase !== "ended") return;
    held.verdict = noted;
    this.#exchange.end(held, this.#endingOf(held, noted));
  }

  #endingOf(held: HeldEntry<Data>, verdict: Verdict): Ending {
    if (verdict.kind === "retry") return verdict;
    if (verdict.kind === "bury")
      return { kind: "bury", attempts: verdict.attempts, letter: this.#setup.record ? "" : letterOf(held, verdict) };
    return finish;
  }

  #noteEnded(held: HeldEntry<Data>): void {
    this.#ending--;
    this.#floor?.note();
    if (held.verdict) this.#report.ended(held.delivered, held.id, held.verdict);
    this.#changed.notify();
  }

  #noteMissed(held: HeldEntry<Data>): void {
    this.#ending--;
    this.#noteLost(held);
    this.#changed.notify();
  }

  /** The entry had ended, and was not this consumer's any more. What was committed counts. */
  #noteLost(held: HeldEntry<Data>): void {
    const isCommitted = this.#setup.record && held.verdict?.kind === "drop";
    if (isCommitted && held.verdict) this.#report.ended(held.delivered, held.id, held.verdict);
    else this.#report.leaseLost(held);
  }

  #noteEmpty(): void {
    this.#backlog?.look();
    if (this.#occupied > 0 || this.#isIdle) return;
    this.#isIdle = true;
    this.#report.idle();
  }

  #followBeat(beat: GroupBeat): void {
    if (beat.loss) this.#report.lost(beat.loss);
    this.#rescuer.notice(beat.goneConsumer, () => void this.#lease.confirm());
    this.#exchange.follow(beat);
    this.#backlog?.look();
  }

  /** The lease is lost: what runs, runs in vain, and what has ended and was not handed in is run again by others. */
  #dropLease(): void {
    const { stream, log, logger } = this.#setup;
    const error = new KeylineError(
      "LEASE_LOST",
      `A consumer of group ${log.name} of stream ${stream} lost its lease: others have its entries now`,
    );
    let count = 0;
    for (const held of this.#exchange.reset()) {
      if (held.phase === "running") {
        held.delivered?.abort(error);
        count++;
      } else {
        this.#noteLost(held);
      }
      held.phase = "lost";
    }
    this.#ending = 0;
    this.#changed.notify();
    logger.warn({ stream, group: log.name, entries: count }, "a consumer lost its lease; it begins a new one");
    if (count > 0) this.#report.error(error);
    if (!this.#stopping) this.#lease.renew();
  }

  async #stop(): Promise<void> {
    const { stream, log } = this.#setup;
    const { signal } = this.#impatient;
    await this.#exchange.stopTaking();
    while (this.#begun > 0 && !signal.aborted) await this.#changed.wait(undefined, signal);
    const isPatient = log.connection.isReady;
    if (this.#ending > 0 || !this.#exchange.isQuiet) {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(isPatient ? 30_000 : 2_000)]);
      while (this.#ending > 0 && !limit.aborted) await this.#changed.wait(undefined, limit);
      await this.#exchange.drained(limit);
    }
    const stopped = new KeylineError("STOPPED", `The consumer of group ${log.name} of stream ${stream} stopped; the entry is given back`);
    for (const held of this.#exchange.held()) if (held.phase === "running") held.delivered?.abort(stopped);
    this.#abandoned.abort(stopped);
    await Promise.all([this.#rescuer.stop(), this.#backlog?.stop(), this.#floor?.stop()]);
    await this.#lease.giveBack();
    await this.#lease.stop();
    await this.#exchange.close();
    this.#setup.onStopped();
  }
}
