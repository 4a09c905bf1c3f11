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
  /** What is held and not on its way back. */
  held(): Iterable<Unit>;
  /** Forgets everything of a lease that is lost. Returns what was held under it, for all that is known. */
  reset(): readonly Unit[];
  /** Takes no more. Resolves when no command that may take is under way. */
  stopTaking(): Promise<void>;
  /** Resolves when everything that has ended is handed in, or when `signal` says not to wait. */
  drained(signal: AbortSignal): Promise<void>;
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

/** The store that has the record, as far as a shift depends on it. */
interface RecordStore {
  readonly isAvailable: boolean;
  whenAvailable(signal: AbortSignal): Promise<void>;
}

export interface ShiftSetup<Unit extends Held<Work>, Work extends Attempt, Beat, Exchange> {
  readonly trade: Trade<Unit>;
  readonly report: Report<Unit, Work>;
  readonly logger: Logger;
  /** Where there is a record. */
  readonly recordStore: RecordStore | undefined;
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
