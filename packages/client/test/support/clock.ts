import type { Environment } from "../../src/runtime/environment.ts";

interface Timer {
  readonly dueAt: number;
  action(): void;
}

/** Time that passes when the test says so. */
export class Clock {
  #now = 1_700_000_000_000;
  readonly #timers = new Set<Timer>();

  readonly now = (): number => this.#now;

  readonly after = (ms: number, action: () => void): (() => void) => {
    const timer = { dueAt: this.#now + ms, action };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  };

  /** When the next timers are due, in milliseconds from now. */
  get pending(): readonly number[] {
    return [...this.#timers].map(({ dueAt }) => dueAt - this.#now).sort((a, b) => a - b);
  }

  /** Lets `ms` pass, with everything that is due meanwhile at its own time. */
  pass(ms: number): void {
    const end = this.#now + ms;
    for (let timer = this.#next(end); timer; timer = this.#next(end)) {
      this.#now = Math.max(this.#now, timer.dueAt);
      this.#timers.delete(timer);
      timer.action();
    }
    this.#now = end;
  }

  /** The machine sleeps: time passes, and what was due meanwhile happens late. */
  sleep(ms: number): void {
    this.#now += ms;
    this.pass(0);
  }

  /** `environment` in this time. */
  within(environment: Environment): Environment {
    return { ...environment, now: this.now, after: this.after };
  }

  #next(end: number): Timer | undefined {
    return [...this.#timers].filter(({ dueAt }) => dueAt <= end).sort((a, b) => a.dueAt - b.dueAt)[0];
  }
}
