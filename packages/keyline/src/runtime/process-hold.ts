import { clearInterval, setInterval } from "./clock.ts";

const longMs = 2 ** 31 - 1;

/** Keeps the process alive, as an open server does, while somebody listens for what may come. */
export class ProcessHold {
  #timer: NodeJS.Timeout | undefined;

  take(): void {
    this.#timer ??= setInterval(() => undefined, longMs);
  }

  release(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
