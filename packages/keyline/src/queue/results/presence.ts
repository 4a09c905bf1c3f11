import { clearTimeout, performance, setTimeout } from "../../runtime/clock.ts";
import { ProcessHold } from "../../runtime/process-hold.ts";

/** Whether somebody is here: holds the process meanwhile, and says when nobody has been for a while. Whoever comes and goes in between costs no timer. */
export class Presence {
  readonly #lingerMs: number;
  readonly #left: () => void;
  readonly #hold = new ProcessHold();
  #isHere = false;
  #goneAt = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `left` is called when nobody has been here for so long. */
  constructor(lingerMs: number, left: () => void) {
    this.#lingerMs = lingerMs;
    this.#left = left;
  }

  come(): void {
    this.#isHere = true;
    this.#hold.take();
  }

  /** The last one. */
  go(): void {
    this.#isHere = false;
    this.#hold.rest();
    this.#goneAt = performance.now();
    this.#timer ??= setTimeout(() => this.#ring(), this.#lingerMs).unref();
  }

  close(): void {
    this.#isHere = false;
    clearTimeout(this.#timer);
    this.#hold.release();
  }

  #ring(): void {
    this.#timer = undefined;
    if (this.#isHere) return;
    const leftMs = Math.ceil(this.#goneAt + this.#lingerMs - performance.now());
    if (leftMs > 0) {
      this.#timer = setTimeout(() => this.#ring(), leftMs).unref();
      return;
    }
    this.#hold.release();
    this.#left();
  }
}
