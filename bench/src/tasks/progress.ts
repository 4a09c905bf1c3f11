const silenceLimitMs = 20_000;

/** A count that somebody waits for. */
export class Progress {
  #value = 0;
  #awaited = Infinity;
  #reached: () => void = () => {};

  get value(): number {
    return this.#value;
  }

  set value(value: number) {
    this.#value = value;
    if (value >= this.#awaited) this.#reached();
  }

  /** Resolves when it is that high; rejects when it has not moved for 20 seconds. `what` names what is counted. */
  async reach(value: number, what: string): Promise<void> {
    if (this.#value >= value) return;
    let before = -1;
    let watchdog: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#awaited = value;
        this.#reached = resolve;
        watchdog = setInterval(() => {
          if (this.#value === before) reject(new Error(`${this.#value} of ${value} ${what}, then nothing for 20 s.`));
          before = this.#value;
        }, silenceLimitMs);
      });
    } finally {
      this.#awaited = Infinity;
      clearInterval(watchdog);
    }
  }
}
