import type { RawMessage } from "./message.ts";

/** A message that came live and is in the history, at `cursor`. */
export interface LiveMessage {
  readonly raw: RawMessage;
  readonly cursor: string;
  readonly length: number;
}

const maxMessages = 1_000;
const maxLength = 8_388_608;

/** Live messages of a channel with history that came since the last read of it was sent. */
export class EarlyMessages {
  #messages: LiveMessage[] = [];
  #length = 0;

  /** Returns false where it forgot them all, as they had become too many: the history has them. */
  keep(message: LiveMessage): boolean {
    this.#messages.push(message);
    this.#length += message.length;
    if (this.#messages.length <= maxMessages && this.#length <= maxLength) return true;
    this.forget();
    return false;
  }

  all(): readonly LiveMessage[] {
    return this.#messages;
  }

  forget(): void {
    this.#messages = [];
    this.#length = 0;
  }
}
