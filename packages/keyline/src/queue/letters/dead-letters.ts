import type { Door } from "../../runtime/door.ts";
import { Iteration } from "../../runtime/iteration.ts";
import { PagedSource } from "../../runtime/paged-source.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import type { DeadLetter } from "./dead-letter.ts";
import { DeadLetterReading } from "./dead-letter-reading.ts";
import { actOnLetters } from "./letter-acts.ts";
import { checkDeadLettersOptions, checkLetterActOptions, type DeadLettersOptions, type LetterActOptions } from "./letter-filter.ts";
import { causesOf, checkCauses, type CausesOptions, type DeadLetterCauses } from "./letter-causes.ts";
import type { LetterShelf } from "./letter-shelf.ts";
import { asRead } from "../../valkey/client/as-read.ts";

export interface DeadLettersParts {
  readonly store: QueueStore;
  readonly shelves: readonly LetterShelf[];
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
    const { door, shelves } = this.#parts;
    door.check();
    const reading = new DeadLetterReading(shelves, checkDeadLettersOptions(options));
    return new Iteration(new PagedSource((signal) => door.accept(() => asRead(this.#ready().then(() => reading.next(signal))))));
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
    const { door, shelves } = this.#parts;
    return door.accept(async () => {
      const limit = checkCauses(options);
      await this.#ready();
      return asRead(causesOf(shelves, limit));
    });
  }

  #ready(): Promise<void> {
    return this.#parts.store.connection.ensureReady(readyWithinMs);
  }
}
