import type { OrderStep } from "./worker-protocol.ts";

// Too short to see, long enough that a busy worker sends hundreds of steps with one message.
const gatherMs = 10;

type WithoutTime<Step> = Step extends unknown ? Omit<Step, "at"> : never;
type NewStep = WithoutTime<OrderStep>;

/** Gathers the steps of a worker's orders and hands them on together. */
export class StepReport {
  readonly #send: (steps: OrderStep[]) => void;
  #steps: OrderStep[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(send: (steps: OrderStep[]) => void) {
    this.#send = send;
  }

  note(step: NewStep): void {
    this.#steps.push({ ...step, at: Date.now() });
    this.#timer ??= setTimeout(() => this.flush(), gatherMs);
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#steps.length > 0) this.#send(this.#steps);
    this.#steps = [];
  }
}
