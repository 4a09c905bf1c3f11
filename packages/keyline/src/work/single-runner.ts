import type { Attempt } from "./attempt.ts";
import { isThenable, outcomeOf, outcomeWith, withTimeout, type Outcome } from "./outcome.ts";
import type { Finish, Runner } from "./runner.ts";
import type { Watched } from "./watched.ts";

/** What a handler can do besides returning and throwing, and what it has done. */
export interface Settling<Context> {
  readonly context: Context;
  /** The outcome where the handler settled; undefined where it did not. Waits for a settle that is under way. */
  outcome(): Promise<Outcome | undefined>;
}

export interface SingleRunnerSetup<Unit, Work, Context> {
  readonly handler: (attempt: Work, context: Context) => unknown;
  readonly concurrency: number;
  readonly timeoutMs: number | undefined;
  readonly watched: Watched<Unit, Work>;
  /** What a handler gets where nothing can be settled. */
  readonly noSettling: Context;
  /** Undefined where nothing can be settled. */
  readonly createSettling: ((unit: Unit, attempt: Work) => Settling<Context>) | undefined;
}

const completed: Outcome = { kind: "completed" };

/** Calls the handler with one attempt at a time, several side by side. */
export class SingleRunner<Unit, Work extends Attempt, Context> implements Runner<Unit, Work> {
  readonly #setup: SingleRunnerSetup<Unit, Work, Context>;

  constructor(setup: SingleRunnerSetup<Unit, Work, Context>) {
    this.#setup = setup;
  }

  run(unit: Unit, attempt: Work, finish: Finish<Unit>): void {
    const { watched } = this.#setup;
    const { probe } = watched.seam;
    if (!probe) return this.#run(unit, attempt, finish);
    probe.process(watched.describe([[unit, attempt]], false), (ended) =>
      this.#run(unit, attempt, (_, outcome) => ended(watched.errorOf(outcome), () => finish(unit, outcome))),
    );
  }

  #run(unit: Unit, attempt: Work, finish: Finish<Unit>): void {
    const { createSettling, timeoutMs } = this.#setup;
    if (createSettling || timeoutMs !== undefined) void this.#runWatched(unit, attempt, finish);
    else this.#runPlain(unit, attempt, finish);
  }

  room(occupied: number): number {
    return this.#setup.concurrency - occupied;
  }

  flush(): void {
    // Nothing waits here.
  }

  // The hot path: no timer, and no promise but the handler's own.
  #runPlain(unit: Unit, attempt: Work, finish: Finish<Unit>): void {
    let result: unknown;
    try {
      result = this.#setup.handler(attempt, this.#setup.noSettling);
    } catch (error) {
      return finish(unit, outcomeOf(error));
    }
    if (isThenable(result)) {
      // Of a promise that is none of the language's anything may be expected, also that its `then` throws.
      (result instanceof Promise ? result : Promise.resolve(result)).then(
        (value: unknown) => finish(unit, value === undefined ? completed : { kind: "completed", value }),
        (error: unknown) => finish(unit, outcomeOf(error)),
      );
    } else {
      finish(unit, result === undefined ? completed : { kind: "completed", value: result });
    }
  }

  async #runWatched(unit: Unit, attempt: Work, finish: Finish<Unit>): Promise<void> {
    const { handler, timeoutMs, createSettling, noSettling } = this.#setup;
    const settling = createSettling?.(unit, attempt);
    const outcome = await withTimeout(
      () => handler(attempt, settling ? settling.context : noSettling),
      (reason) => attempt.abort(reason),
      timeoutMs,
    );
    // What the settle came to counts, also for a handler that caught its error or threw after it.
    finish(unit, outcomeWith(await settling?.outcome(), outcome));
  }
}
