import type { Came, Tail } from "./source.ts";

/** Takes what came on a tail, one time after the other. */
export class TailReader {
  readonly #tail: Tail;
  #isTaking = false;

  constructor(tail: Tail) {
    this.#tail = tail;
  }

  get kind(): Tail["kind"] {
    return this.#tail.kind;
  }

  /** Up to where it was taken. */
  get place(): string | undefined {
    return this.#tail.place;
  }

  get isOver(): boolean {
    return this.#tail.isOver;
  }

  /** Undefined when nothing came, or while it is being taken. */
  async take(): Promise<Came | undefined> {
    if (this.#isTaking) return undefined;
    this.#isTaking = true;
    try {
      return await this.#tail.take();
    } finally {
      this.#isTaking = false;
    }
  }

  close(): void {
    this.#tail.close();
  }
}
