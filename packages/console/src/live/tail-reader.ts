import type { Came, Tail } from "./source.ts";

/** What was taken, if anything came, and up to where that is. */
interface Taken {
  readonly came: Came | undefined;
  readonly place: string | undefined;
}

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

  /** Where it begins. */
  get place(): string | undefined {
    return this.#tail.place;
  }

  get isOver(): boolean {
    return this.#tail.isOver;
  }

  /**
   * Undefined while somebody else takes it. Only whoever took it knows the place: others would see one up to which nobody was told yet.
   */
  async take(): Promise<Taken | undefined> {
    if (this.#isTaking) return undefined;
    this.#isTaking = true;
    try {
      const came = await this.#tail.take();
      return { came, place: this.#tail.place };
    } finally {
      this.#isTaking = false;
    }
  }

  close(): void {
    this.#tail.close();
  }
}
