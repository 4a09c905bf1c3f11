import type { Environment } from "../runtime/environment.ts";

interface OutboxParts {
  readonly environment: Environment;
  /** How many frames of one connection the gateway takes in a second, before it ends the connection. */
  readonly framesPerSecond: number;
  write(text: string): void;
}

interface Letter {
  readonly text: string;
  isSent?: boolean;
}

const windowMs = 1_000;

/**
 * Sends no faster than the gateway listens: whoever subscribes to a hundred channels, again after each connection, must not be taken for
 * a flood. Two fifths of what is allowed go in each second, so that two of these may arrive as one.
 */
export class Outbox {
  readonly #parts: OutboxParts;
  readonly #perWindow: number;
  readonly #waiting: Letter[] = [];
  #left: number;
  #cancel: (() => void) | undefined;

  constructor(parts: OutboxParts) {
    this.#parts = parts;
    this.#perWindow = Math.max(1, Math.floor(parts.framesPerSecond * 0.4));
    this.#left = this.#perWindow;
  }

  get length(): number {
    return this.#waiting.length;
  }

  /** With `isUrgent` ahead of all that wait. */
  push(letter: Letter, isUrgent = false): void {
    if (isUrgent) this.#waiting.unshift(letter);
    else this.#waiting.push(letter);
    this.#flush();
  }

  stop(): void {
    this.#cancel?.();
    this.#waiting.length = 0;
  }

  #flush(): void {
    while (this.#left > 0) {
      const letter = this.#waiting.shift();
      if (!letter) return;
      this.#left--;
      this.#cancel ??= this.#parts.environment.after(windowMs, () => {
        this.#cancel = undefined;
        this.#left = this.#perWindow;
        this.#flush();
      });
      this.#parts.write(letter.text);
      letter.isSent = true;
    }
  }
}
