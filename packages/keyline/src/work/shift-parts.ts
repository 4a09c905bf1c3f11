import type { ShiftCounts } from "../runtime/counters.ts";
import type { Duty } from "../runtime/duty.ts";
import type { Logger } from "../runtime/logger.ts";
import type { Attempt } from "./attempt.ts";
import type { Held } from "./held.ts";
import type { IntakeEvents } from "./intake.ts";
import type { Lease, LeaseEvents } from "./lease.ts";
import type { Outcome } from "./outcome.ts";
import type { Report } from "./report.ts";
import type { Runner } from "./runner.ts";
import type { Trade } from "./trade.ts";
import type { Verdict } from "./verdict.ts";

/** What a shift needs of its shape's conversation with Valkey. */
export interface ShiftExchange<Unit, Beat> {
  /** Commands can be sent. */
  readonly isReady: boolean;
  /** The last take brought less than asked for. */
  readonly isEmpty: boolean;
  /** Everything that has ended is handed in. */
  readonly isQuiet: boolean;
  /** A lease has begun. */
  begin(): void;
  /** Follows what a renewal of the lease showed. */
  follow(beat: Beat): void;
  /** Looks for work once what runs now has run. */
  pumpSoon(): void;
  /** Something may be there to be taken that was not before: looks, and not before a wait that is under way has ended. */
  lookAgain(): Promise<void>;
  /** What is held and not on its way back. */
  held(): Iterable<Unit>;
  /** Forgets everything of a lease that is lost. Returns what was held under it, for all that is known. */
  reset(): readonly Unit[];
  /** Takes no more. Resolves when no command that may take is under way. */
  stopTaking(): Promise<void>;
  /** Resolves when `isDone`, which is asked whenever an answer has come; or when `signal` says not to wait. */
  until(isDone: () => boolean, signal: AbortSignal): Promise<void>;
  close(): void | Promise<void>;
}

/** What an exchange tells its shift. */
export interface ExchangeEvents<Unit> {
  /** These are held now, and to be begun. */
  taken(units: readonly Unit[]): void;
  /** Valkey knows its end. */
  ended(unit: Unit): void;
  /** It had ended, and was not held any more. */
  missed(unit: Unit): void;
  /** There is nothing to take. */
  ranEmpty(): void;
  /** Nothing is on its way: what was taken is all there is for now. */
  calmed(): void;
}

/** A duty beside the lease. It may follow what renewals of the lease show, and what becomes of what was taken. */
export interface ShiftDuty<Unit, Beat> extends Duty {
  /** A lease has begun: what was known under an older one may be out of date. */
  noteBegun?(): void;
  follow?(beat: Beat): void;
  noteEnded?(unit: Unit): void;
  noteEmpty?(): void;
}

/** Who decides, in tests of users' code, when shifts take what there is to do, and hears what became of it. */
export interface Rehearsal {
  /** By how many milliseconds the time by which schedules tick is ahead of the servers'. */
  readonly aheadMs: number;
  /** The runner as its shift sees it: without room while nothing is to be taken. */
  hold<Unit, Work>(runner: Runner<Unit, Work>): Runner<Unit, Work>;
  /** The duty by which a shift is followed. */
  follow<Unit extends Held<Work>, Work extends Attempt, Beat>(
    trade: Trade<Unit>,
    exchange: ShiftExchange<Unit, Beat>,
  ): ShiftDuty<Unit, Beat>;
}

/** The store that has the record, as far as a shift depends on it. */
interface RecordStore {
  readonly isAvailable: boolean;
  whenAvailable(signal: AbortSignal): Promise<void>;
}

export interface ShiftSetup<Unit extends Held<Work>, Work extends Attempt, Beat, Exchange> {
  readonly trade: Trade<Unit>;
  readonly report: Report<Unit, Work>;
  readonly logger: Logger;
  readonly counts: ShiftCounts;
  /** How many attempts may run at once. */
  readonly capacity: number;
  /** Where there is a record. */
  readonly recordStore: RecordStore | undefined;
  /** Only in tests of users' code. */
  readonly rehearsal: Rehearsal | undefined;
  createLease(events: LeaseEvents<Beat>, exchange: () => Exchange): Lease<Beat>;
  createExchange(parts: { readonly lease: Lease<Beat>; readonly room: () => number; readonly events: ExchangeEvents<Unit> }): Exchange;
  createRunner(confirmLease: () => Promise<void>): Runner<Unit, Work>;
  /** `signal` is aborted when the shift has ended. */
  createIntake(events: IntakeEvents<Unit, Work>, signal: AbortSignal): { begin(units: readonly Unit[]): void };
  createDuties(parts: { readonly lease: Lease<Beat>; readonly exchange: Exchange }): readonly ShiftDuty<Unit, Beat>[];
  verdictOf(unit: Unit, outcome: Outcome): Verdict;
  /** Step 4: hands it in once the record knows. `signal` is aborted when the shift has ended. */
  conclude(unit: Unit, verdict: Verdict, parts: { readonly exchange: Exchange; readonly signal: AbortSignal }): void;
  /** It had ended, and was lost before Valkey knew: what was committed counts, whoever has it now. */
  lostAtEnd(unit: Unit): void;
}
