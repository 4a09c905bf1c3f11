import type { StandardSchemaV1 } from "@standard-schema/spec";
import { KeylineError, toError, ValidationError } from "../runtime/errors.ts";
import { validate } from "../runtime/schema.ts";
import type { Attempt } from "./attempt.ts";
import type { Held } from "./held.ts";
import { outcomeOf } from "./outcome.ts";
import { sentence, type Trade } from "./trade.ts";
import { verdictOf, type AttemptPolicy, type Verdict } from "./verdict.ts";

/** Thrown for something that stands for nothing that is to run: it goes, and nobody is told. */
export class NotToRun extends Error {}

export interface IntakeSetup<Unit extends Held<Work>, Work extends Attempt, Data> {
  readonly trade: Trade<Unit>;
  readonly schema: StandardSchemaV1<unknown, Data> | undefined;
  readonly doubts: Doubts<Unit> | undefined;
  /** The data as it was sent. Throws INVALID_ELEMENT, and NotToRun. */
  read(unit: Unit): unknown;
  createAttempt(unit: Unit, data: Data): Work;
  policyOf(unit: Unit): AttemptPolicy;
}

/** Which of what was taken may have been settled before, or have come before its turn. Only where there is a record to ask. */
export interface Doubts<Unit> {
  isDoubtful(unit: Unit): boolean;
  /** Those of them that must not run, and what becomes of them; undefined when the shift ended meanwhile. */
  findUnfit(units: readonly Unit[]): Promise<ReadonlyMap<Unit, Verdict> | undefined>;
}

export interface IntakeEvents<Unit, Work> {
  /** It is fit to run. */
  start(unit: Unit, attempt: Work): void;
  /** It is not: this is what becomes of it. */
  refuse(unit: Unit, verdict: Verdict): void;
  /** No more of this lot are to come. */
  done(): void;
}

/** Makes attempts out of what a shift has taken, and finds out what must not run. */
export class Intake<Unit extends Held<Work>, Work extends Attempt, Data> {
  readonly #setup: IntakeSetup<Unit, Work, Data>;
  readonly #events: IntakeEvents<Unit, Work>;

  constructor(setup: IntakeSetup<Unit, Work, Data>, events: IntakeEvents<Unit, Work>) {
    this.#setup = setup;
    this.#events = events;
  }

  begin(units: readonly Unit[]): void {
    const { doubts } = this.#setup;
    if (!doubts) {
      for (const unit of units) this.#prepare(unit);
      return;
    }
    const doubtful: Unit[] = [];
    for (const unit of units) {
      if (doubts.isDoubtful(unit)) doubtful.push(unit);
      else this.#prepare(unit);
    }
    if (doubtful.length > 0) void this.#beginDoubtful(doubts, doubtful);
  }

  async #beginDoubtful(doubts: Doubts<Unit>, units: readonly Unit[]): Promise<void> {
    const unfit = await doubts.findUnfit(units);
    // The shift ended meanwhile, and gives back what it holds.
    if (!unfit) return;
    for (const unit of units) {
      const verdict = unfit.get(unit);
      if (verdict) this.#events.refuse(unit, verdict);
      else this.#prepare(unit);
    }
    this.#events.done();
  }

  #prepare(unit: Unit): void {
    const { schema, trade } = this.#setup;
    let data: unknown;
    try {
      data = this.#setup.read(unit);
      if (schema) data = validate(trade.nameOf(unit), schema, data);
    } catch (error) {
      return this.#refuse(unit, error);
    }
    if (!(schema && data instanceof Promise)) return this.#start(unit, data as Data);
    data.then(
      (valid: Data) => {
        this.#start(unit, valid);
        this.#events.done();
      },
      (error: unknown) => this.#refuse(unit, error),
    );
  }

  // What cannot be read or does not fit does not fit next time either.
  #refuse(unit: Unit, thrown: unknown): void {
    const error = toError(thrown);
    if (error instanceof NotToRun) return this.#events.refuse(unit, { kind: "drop", error: undefined });
    const isUnreadable = error instanceof KeylineError && error.code === "INVALID_ELEMENT";
    if (isUnreadable || error instanceof ValidationError) {
      this.#events.refuse(unit, { kind: "bury", attempts: unit.attempts + (isUnreadable ? 0 : 1), error });
    } else {
      this.#events.refuse(unit, verdictOf(unit.attempts, outcomeOf(error), this.#setup.policyOf(unit)));
    }
  }

  #start(unit: Unit, data: Data): void {
    const { trade } = this.#setup;
    const attempt = this.#setup.createAttempt(unit, data);
    unit.attempt = attempt;
    if (unit.attempts < this.#setup.policyOf(unit).maxAttempts) return this.#events.start(unit, attempt);
    const error = new KeylineError(
      "WORKER_DIED",
      `${sentence(trade.nameOf(unit))} has had all its ${unit.attempts} attempts, the last of them with a ${trade.role} that died: it may be what kills them`,
    );
    this.#events.refuse(unit, { kind: "bury", attempts: unit.attempts, error });
  }
}
