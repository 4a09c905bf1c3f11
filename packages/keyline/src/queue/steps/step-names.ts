import { KeylineError } from "../../runtime/errors.ts";
import { checkKey } from "../../runtime/names.ts";
import { mostSteps } from "../../postgres/job/step-table.ts";

/** Whose steps they are: for messages. */
export interface StepOwner {
  readonly id: string;
  readonly queue: string;
}

/** The error for a step, a sleep or a signal that cannot be: `what` and `name` say which, `why` is a sentence without its end. */
export function invalidStep({ id, queue }: StepOwner, [what, name]: readonly [what: string, name: string], why: string): KeylineError {
  return new KeylineError("INVALID_STEP", `${what} ${JSON.stringify(name)} of job ${id} of queue ${queue} ${why}`);
}

/** The names that one run of a handler has used. Each may be used once, so that every run means the same by it. */
export class StepNames {
  readonly #owner: StepOwner;
  readonly #used = new Set<string>();

  constructor(owner: StepOwner) {
    this.#owner = owner;
  }

  /** Throws INVALID_OPTION for what is no name, and INVALID_STEP for one that was used, or one too many. */
  use(what: string, name: string): void {
    checkKey("The name of a step, a sleep or a signal", name);
    if (this.#used.has(name)) {
      throw invalidStep(this.#owner, [what, name], "was there before in this run: give each step, sleep and signal a name of its own");
    }
    if (this.#used.size >= mostSteps) throw tooMany(this.#owner, [what, name]);
    this.#used.add(name);
  }

  /** It came to nothing, and may be tried again. */
  free(name: string): void {
    this.#used.delete(name);
  }
}

/** The error for a step too many. */
export function tooMany(owner: StepOwner, step: readonly [what: string, name: string]): KeylineError {
  return invalidStep(owner, step, `is one too many: a job has at most ${mostSteps} steps, sleeps and signals; split it into several jobs`);
}

/** The error for a name under which something else is remembered. */
export function otherKind(owner: StepOwner, step: readonly [what: string, name: string]): KeylineError {
  return invalidStep(
    owner,
    step,
    "is remembered as something else, a step, a sleep or a signal: give what is new in the handler a new name",
  );
}

/** The error for a step of a job that is not this worker's any more. */
export function notHeld({ id, queue }: StepOwner): KeylineError {
  return new KeylineError("LEASE_LOST", `Job ${id} of queue ${queue} has ended, or was given to another worker: this step was left out`);
}
