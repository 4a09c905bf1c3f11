import { clearTimeout, setTimeout } from "../../runtime/clock.ts";
import type { Tracker } from "../events/tracker.ts";

const firstLookMs = 250;
const lookAgainMs = 8_000;

/** While somebody waits for a job of which nothing will be left: workers tell every end, and now and then one looks for those that had ended before the worker knew. */
export class UnkeptWatch {
  readonly #tracker: Tracker;
  readonly #look: () => void;
  #stopTracking: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(tracker: Tracker, look: () => void) {
    this.#tracker = tracker;
    this.#look = look;
  }

  get isOn(): boolean {
    return this.#stopTracking !== undefined;
  }

  start(): void {
    if (this.isOn) return;
    this.#stopTracking = this.#tracker.track("ends");
    this.#lookIn(firstLookMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#stopTracking?.();
    this.#stopTracking = undefined;
  }

  #lookIn(ms: number): void {
    this.#timer = setTimeout(() => {
      this.#look();
      this.#lookIn(lookAgainMs);
    }, ms).unref();
  }
}
