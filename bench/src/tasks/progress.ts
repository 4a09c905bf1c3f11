import { during } from "../process/headway.ts";

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

  /** Resolves when it is that high. `what` names what is counted, and `remark` what else is known of it. */
  async reach(value: number, what: string, remark: () => string | undefined = () => undefined): Promise<void> {
    if (this.#value >= value) return;
    const reached = new Promise<void>((resolve) => {
      this.#awaited = value;
      this.#reached = resolve;
    });
    await during({ what, of: value, done: () => this.#value, remark }, () => reached);
    this.#awaited = Infinity;
  }
}
