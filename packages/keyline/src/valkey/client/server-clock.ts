import { performance } from "../../runtime/clock.ts";
import { toError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { ValkeyConnection } from "./connection.ts";

const holdsMs = 30_000;

/** How far the server's clock is ahead of this process's, as it was asked for half a minute ago at most. */
export class ServerClock {
  readonly #commands: ValkeyConnection;
  readonly #logger: Logger;
  #aheadMs = 0;
  #askedAt = -Infinity;

  constructor(commands: ValkeyConnection, logger: Logger) {
    this.#commands = commands;
    this.#logger = logger;
  }

  /** Whether the server's clock has not reached a stream id yet. */
  isBehind(id: string): boolean {
    return Number.parseInt(id, 10) > Date.now() + this.#aheadMs;
  }

  /** It may be another server's now. */
  forget(): void {
    this.#askedAt = -Infinity;
  }

  /** Asks for it, unless that was done lately. Nobody waits for the answer. */
  askSoon(): void {
    const now = performance.now();
    if (now - this.#askedAt < holdsMs) return;
    this.#askedAt = now;
    this.#commands.client.time().then(
      ([seconds]) => void (this.#aheadMs = Number(seconds) * 1_000 + 1_000 - Date.now()),
      (error: unknown) => this.#logger.debug({ error: toError(error).message }, "the server's clock could not be asked for"),
    );
  }
}
