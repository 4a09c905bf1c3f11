import { clearInterval, setInterval } from "./clock.ts";

const longMs = 2 ** 31 - 1;

/** Keeps the process alive, as an open server does, while somebody listens for what may come. */
export class ProcessHold {
  #timer: NodeJS.Timeout | undefined;

  take(): void {
    if (this.#timer) this.#timer.ref();
    else this.#timer = setInterval(() => undefined, longMs);
  }

  /** Lets the process end, and may be taken again soon, which costs less than after a release. */
  rest(): void {
    this.#timer?.unref();
  }

  release(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
