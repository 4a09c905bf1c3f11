import { clearTimeout, performance, setTimeout } from "./clock.ts";

/** Runs `work` when its time has come, and never twice at the same time: for duties that sleep until there is something to do. */
export class Alarm {
  readonly #work: () => Promise<void>;
  #timer: NodeJS.Timeout | undefined;
  #dueAt = Infinity;
  #running: Promise<void> | undefined;
  readonly #mayEnd: boolean;
  #isStopped = false;

  /** `work` sees to its own errors: it must not reject. With `mayEnd` the process may end while it sleeps. */
  constructor(work: () => Promise<void>, { mayEnd = false }: { readonly mayEnd?: boolean } = {}) {
    this.#work = work;
    this.#mayEnd = mayEnd;
  }

  /** Runs the work in `ms` milliseconds. Does nothing when it is due earlier; what is set while it runs is for the next run. */
  set(ms: number): void {
    const dueAt = performance.now() + ms;
    if (this.#isStopped || dueAt >= this.#dueAt) return;
    this.#dueAt = dueAt;
    if (!this.#running) this.#arm(ms);
  }

  /** Begins no more runs. Resolves when the last one has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #arm(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ring(), ms);
    if (this.#mayEnd) this.#timer.unref();
  }

  #ring(): void {
    this.#dueAt = Infinity;
    // The work begins when it is known to run.
    this.#running = Promise.resolve()
      .then(this.#work)
      .finally(() => {
        this.#running = undefined;
        if (!this.#isStopped && this.#dueAt < Infinity) this.#arm(Math.max(0, this.#dueAt - performance.now()));
      });
  }
}
