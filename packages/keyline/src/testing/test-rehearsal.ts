import { earlyRestMs } from "../queue/worker/turns.ts";
import { HeldJob } from "../queue/worker/held-jobs.ts";
import type { Attempt } from "../work/attempt.ts";
import type { Held } from "../work/held.ts";
import type { Runner } from "../work/runner.ts";
import type { Rehearsal, ShiftDuty, ShiftExchange } from "../work/shift-parts.ts";
import type { Trade } from "../work/trade.ts";
import { ranOf, type Ran } from "./ran.ts";

/** A worker or a consumer, as far as a rehearsal knows it. */
interface FollowedShift {
  readonly queue: string | undefined;
  /** Aborted when it has stopped. */
  readonly stopped: AbortSignal;
  /** It looked, found nothing more to take, and has handed in everything. */
  isDry(): boolean;
  /** It has nothing, and nothing is on its way to it. */
  isAtRest(): boolean;
  lookAgain(): Promise<void>;
  until(isDone: () => boolean, signal: AbortSignal): Promise<void>;
  /** The names of what it has. */
  held(): readonly string[];
}

/** Has the workers and consumers of a Keyline take only while it is open, and notes what they ran. */
export class TestRehearsal implements Rehearsal {
  aheadMs = 0;
  /** Called when an attempt begins. */
  onBegun: (() => void) | undefined;
  readonly #isLive: boolean;
  #isOpen: boolean;
  readonly #shifts = new Set<FollowedShift>();
  /** What has begun and not ended, and its place in that order. */
  readonly #places = new Map<unknown, number>();
  #begun = 0;
  #ran: { readonly place: number; readonly ran: Ran }[] = [];
  #moves = 0;
  #restMs = 0;

  /** A live one is always open. */
  constructor({ isLive }: { readonly isLive: boolean }) {
    this.#isLive = isLive;
    this.#isOpen = isLive;
  }

  /** Grows with everything that begins and ends. */
  get moves(): number {
    return this.#moves;
  }

  /** The queues that have a worker. */
  get queues(): ReadonlySet<string> {
    return new Set([...this.#shifts].flatMap(({ queue }) => queue ?? []));
  }

  /** The names of what runs, or was taken to be run. */
  get held(): readonly string[] {
    return [...this.#shifts].flatMap((shift) => shift.held());
  }

  /** What has ended since this was asked for last, in the order in which it began. */
  takeRan(): Ran[] {
    const ended = this.#ran.sort((one, other) => one.place - other.place);
    this.#ran = [];
    return ended.map(({ ran }) => ran);
  }

  /** How long what came before its turn rests, as far as that is worth waiting for, since this was asked for last. */
  takeRest(): number {
    const restMs = this.#restMs;
    this.#restMs = 0;
    return restMs;
  }

  hold<Unit, Work>(runner: Runner<Unit, Work>): Runner<Unit, Work> {
    return {
      run: (unit, attempt, finish) => {
        this.#moves++;
        this.#places.set(unit, this.#begun++);
        this.onBegun?.();
        runner.run(unit, attempt, finish);
      },
      room: (occupied) => (this.#isOpen ? runner.room(occupied) : 0),
      flush: () => runner.flush(),
    };
  }

  follow<Unit extends Held<Work>, Work extends Attempt, Beat>(
    trade: Trade<Unit>,
    exchange: ShiftExchange<Unit, Beat>,
  ): ShiftDuty<Unit, Beat> {
    const stopping = new AbortController();
    const isAtRest = (): boolean => exchange.isQuiet && [...exchange.held()].length === 0;
    const shift: FollowedShift = {
      queue: trade.fields["queue"],
      stopped: stopping.signal,
      isDry: () => exchange.isEmpty && isAtRest(),
      isAtRest,
      lookAgain: () => exchange.lookAgain(),
      until: (isDone, signal) => exchange.until(isDone, signal),
      held: () => [...exchange.held()].map((unit) => trade.nameOf(unit)),
    };
    this.#shifts.add(shift);
    return {
      start: () => undefined,
      stop: () => {
        this.#shifts.delete(shift);
        stopping.abort();
        return Promise.resolve();
      },
      noteEnded: (unit) => this.#note(unit, trade),
    };
  }

  /** What was not taken may be from now on. */
  open(): void {
    this.#isOpen = true;
  }

  /** Has all of them look. Resolves when none has anything, or finds anything that it may take; or when `signal` says not to wait. */
  async runDry(signal: AbortSignal): Promise<void> {
    await this.#lookAgain();
    await this.#until((shift) => shift.isDry(), signal);
  }

  /** Nothing more is taken. Resolves when what was taken last has ended too, or when `signal` says not to wait. */
  async close(signal: AbortSignal): Promise<void> {
    if (this.#isLive) return;
    this.#isOpen = false;
    // Ends waits that would take.
    await this.#lookAgain();
    await this.#until((shift) => shift.isAtRest(), signal);
  }

  async #lookAgain(): Promise<void> {
    await Promise.all([...this.#shifts].map((shift) => shift.lookAgain()));
  }

  /** Until it holds of all of them at once. */
  async #until(holds: (shift: FollowedShift) => boolean, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const shift = [...this.#shifts].find((one) => !holds(one));
      if (!shift) return;
      await shift.until(() => holds(shift), AbortSignal.any([signal, shift.stopped]));
    }
  }

  #note<Unit extends Held<Attempt>>(unit: Unit, trade: Trade<Unit>): void {
    this.#moves++;
    const ran = ranOf(unit, trade);
    // What could not be read never began.
    const place = this.#places.get(unit) ?? this.#begun++;
    this.#places.delete(unit);
    if (ran) this.#ran.push({ place, ran });
    if (unit.verdict?.kind !== "yield") return;
    const restMs = (unit instanceof HeldJob ? unit.restMs : undefined) ?? earlyRestMs;
    if (restMs <= earlyRestMs) this.#restMs = Math.max(this.#restMs, restMs);
  }
}
