import { toError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { Origin } from "../../valkey/queue/families.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import type { ChildEnd } from "./child-end.ts";

interface CarrierParts {
  storeOf(queue: string): QueueStore;
  readonly logger: Logger;
}

/** Children of one batch that have ended. */
interface Ends extends Origin {
  readonly numbers: string[];
  /** Number and outcome of each. */
  readonly values: string[];
}

const page = 500;
const pageLength = 1_048_576;

/**
 * Tells parents, in the slots of their queues, of children of one queue that have ended: of those that ended here at once, for all that end while it is at it there is one more round; and of
 * those that others have left untold, which it finds twice, a second apart.
 */
export class FamilyCarrier {
  readonly #queue: string;
  readonly #parts: CarrierParts;
  #ended = new Map<string, Ends>();
  #running: Promise<void> | undefined;
  /** What was owed when it was looked last, by batch. */
  #owed = new Map<string, ReadonlySet<string>>();

  constructor(queue: string, parts: CarrierParts) {
    this.#queue = queue;
    this.#parts = parts;
  }

  /** It has ended here. Where its parent cannot be told now it is left to be found. */
  note({ batch, queue, family, number, outcome }: ChildEnd): void {
    let ends = this.#ended.get(batch);
    if (!ends) this.#ended.set(batch, (ends = { batch, queue, family, numbers: [], values: [] }));
    ends.numbers.push(number);
    ends.values.push(number, outcome);
    this.#running ??= this.#run();
  }

  /** Tells what was left untold; with `isAtOnce` also what somebody may be at. */
  async sweep(isAtOnce: boolean): Promise<void> {
    const { families } = this.#parts.storeOf(this.#queue);
    const seen = this.#owed;
    this.#owed = new Map();
    for (const { numbers, ...origin } of await families.owed()) {
      const before = seen.get(origin.batch);
      const left = isAtOnce ? numbers : numbers.filter((number) => before?.has(number));
      this.#owed.set(origin.batch, new Set(numbers));
      for (let first = 0; first < left.length; first += page) {
        const some = left.slice(first, first + page);
        const outcomes = await families.outcomes(origin.batch, some);
        await this.#tell([{ ...origin, numbers: some, values: some.flatMap((number, index) => [number, outcomes[index] ?? lost]) }]);
      }
    }
  }

  /** Resolves when the parents of all that has ended here know, or it was left to be found. */
  async settled(): Promise<void> {
    while (this.#running) await this.#running;
  }

  async #run(): Promise<void> {
    // What ends in one turn of the event loop is told together.
    await Promise.resolve();
    try {
      while (this.#ended.size > 0) await this.#tellAll();
    } finally {
      // With the look that found nothing: what ends a moment later begins the next run.
      this.#running = undefined;
    }
  }

  async #tellAll(): Promise<void> {
    const ended = [...this.#ended.values()];
    this.#ended = new Map();
    try {
      await this.#tell(ended);
    } catch (error) {
      this.#parts.logger.debug(
        { error: toError(error).message, queue: this.#queue },
        "parents could not be told that children have ended; it is done later",
      );
    }
  }

  async #tell(ended: readonly Ends[]): Promise<void> {
    const pages = ended.flatMap(pagesOf);
    const answers = await Promise.allSettled(pages.map((ends) => this.#parts.storeOf(ends.queue).families.apply(ends, ends.values)));
    const told = pages.filter((_, index) => answers[index]?.status === "fulfilled");
    if (told.length > 0) await this.#parts.storeOf(this.#queue).families.told(told);
    for (const answer of answers) if (answer.status === "rejected") throw toError(answer.reason);
  }
}

/** Neither too many for one command nor too much. */
function pagesOf({ numbers, values, ...origin }: Ends): Ends[] {
  const pages: Ends[] = [];
  let [first, length] = [0, 0];
  for (let index = 0; index < numbers.length; index++) {
    length += values[2 * index + 1]?.length ?? 0;
    if (index + 1 - first < page && length < pageLength && index + 1 < numbers.length) continue;
    pages.push({ ...origin, numbers: numbers.slice(first, index + 1), values: values.slice(2 * first, 2 * index + 2) });
    [first, length] = [index + 1, 0];
  }
  return pages;
}

const lost = '{"outcome":"cancelled"}';
