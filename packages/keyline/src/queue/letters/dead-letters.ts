import type { Door } from "../../runtime/door.ts";
import { Iteration } from "../../runtime/iteration.ts";
import { PagedSource } from "../../runtime/paged-source.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import type { DeadLetter } from "./dead-letter.ts";
import { DeadLetterReading } from "./dead-letter-reading.ts";
import { actOnLetters } from "./letter-acts.ts";
import { checkDeadLettersOptions, checkLetterActOptions, type DeadLettersOptions, type LetterActOptions } from "./letter-filter.ts";
import { causesOf, checkCauses, type CausesOptions, type DeadLetterCauses } from "./letter-causes.ts";
import type { LetterShelf, ReadableShelf } from "./letter-shelf.ts";
import { asRead } from "../../valkey/client/as-read.ts";

export interface DeadLettersParts {
  readonly store: QueueStore;
  readonly shelves: readonly LetterShelf[];
  /** The same for who only reads, where some of it can be read while Valkey is away. */
  readonly readable: readonly ReadableShelf[] | undefined;
  readonly door: Door;
}

const readyWithinMs = 5_000;

/** The dead letters of one queue, wherever they are. */
export class DeadLetters {
  readonly #parts: DeadLettersParts;

  constructor(parts: DeadLettersParts) {
    this.#parts = parts;
  }

  /** See `Queue.deadLetters`. */
  read(options: DeadLettersOptions): Iteration<DeadLetter> {
    const { door, shelves, readable = shelves } = this.#parts;
    door.check();
    const reading = new DeadLetterReading(readable, checkDeadLettersOptions(options));
    return new Iteration(new PagedSource((signal) => door.accept(() => asRead(this.#readReady().then(() => reading.next(signal))))));
  }

  /** See `Queue.redrive` and `Queue.discard`. */
  act(kind: "redrive" | "discard", options: LetterActOptions): Promise<number> {
    const { door, shelves } = this.#parts;
    return door.accept(async () => {
      const query = checkLetterActOptions(kind, options);
      options.signal?.throwIfAborted();
      await this.#ready();
      return actOnLetters(shelves, { kind, query, options });
    });
  }

  /** See `Queue.deadLetterCauses`. */
  causes(options: CausesOptions): Promise<DeadLetterCauses> {
    const { door, shelves, readable = shelves } = this.#parts;
    return door.accept(async () => {
      const limit = checkCauses(options);
      await this.#readReady();
      return asRead(causesOf(readable, limit));
    });
  }

  async #readReady(): Promise<void> {
    if (!this.#parts.readable) await this.#ready();
  }

  #ready(): Promise<void> {
    return this.#parts.store.connection.ensureReady(readyWithinMs);
  }
}
