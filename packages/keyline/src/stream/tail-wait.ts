import { performance } from "../runtime/clock.ts";
import { delay } from "../runtime/waiting.ts";
import type { StreamTails } from "../valkey/client/stream-tails.ts";

const earlyMs = 10;
const patience = 3;
const pauseMs = 100;

/**
 * Waits for news of one stream on behalf of one reader. What wakes it may be nothing that it can read, such as an entry that somebody else
 * wrote into a transactional stream: after a few waits that ended at once it pauses before the next.
 */
export class TailWait {
  readonly #tails: StreamTails;
  readonly #key: string;
  #early = 0;

  constructor(tails: StreamTails, key: string) {
    this.#tails = tails;
    this.#key = key;
  }

  /** Call it after a read that brought nothing. */
  async news(after: string, signal: AbortSignal): Promise<void> {
    if (this.#early > patience) await delay(pauseMs, signal);
    const begun = performance.now();
    await this.#tails.whenAfter(this.#key, after, signal);
    this.#early = performance.now() - begun < earlyMs ? this.#early + 1 : 0;
  }

  /** Something was read. */
  reset(): void {
    this.#early = 0;
  }
}
