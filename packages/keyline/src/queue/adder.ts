import { KeylineError, toError } from "../runtime/errors.ts";
import { isConnectionError } from "../valkey/connection.ts";
import { ElementBatch } from "../valkey/element-batch.ts";
import type { QueueLists } from "../valkey/queue-lists.ts";
import { encodeElement } from "./element.ts";
import type { AddResult } from "./options.ts";

/** A job that is to be added, checked and written as JSON. */
export interface AddRequest {
  readonly id: string;
  readonly isOwnId: boolean;
  readonly dataJson: string;
  readonly maxAttempts: number | undefined;
}

/** The way in which a queue adds jobs: `adder.ts` to Valkey alone, `transactional-adder.ts` to PostgreSQL first. */
export interface Adder {
  add(request: AddRequest): Promise<AddResult>;
  addMany(requests: readonly AddRequest[]): Promise<AddResult[]>;
}

const pageElements = 250;
const pageLength = 262_144;
const readyWithinMs = 5_000;

/** Adds of one turn of the event loop that travel with one command. */
class Page {
  readonly elements = new ElementBatch();
  readonly #promise = Promise.withResolvers<void>();

  get sent(): Promise<void> {
    return this.#promise.promise;
  }

  get isFull(): boolean {
    return this.elements.count >= pageElements || this.elements.length >= pageLength;
  }

  settleWith(sending: Promise<void>): void {
    sending.then(this.#promise.resolve, this.#promise.reject);
  }
}

/**
 * Adds to a plain queue: all of one turn of the event loop travel together, as a few commands of one LPUSH each, so that the
 * server works on the first while this process hears of none yet.
 */
export class PlainAdder implements Adder {
  readonly #lists: QueueLists;
  readonly #queue: string;
  #pages: Page[] = [];

  constructor(lists: QueueLists, queue: string) {
    this.#lists = lists;
    this.#queue = queue;
  }

  add(request: AddRequest): Promise<AddResult> {
    if (request.isOwnId) return this.#addWithId(request);
    const { id } = request;
    return this.#join(request).then(() => ({ id, added: true }));
  }

  addMany(requests: readonly AddRequest[]): Promise<AddResult[]> {
    return Promise.all(requests.map((request) => this.add(request)));
  }

  #join({ id, dataJson, maxAttempts }: AddRequest): Promise<void> {
    const element = encodeElement({ id, dataJson, at: Date.now(), maxAttempts });
    const page = this.#openPage();
    // All but the data is ASCII, and the data is one flat string, which is quick to measure.
    page.elements.add(element, element.length - dataJson.length + Buffer.byteLength(dataJson));
    return page.sent;
  }

  #openPage(): Page {
    const last = this.#pages.at(-1);
    if (last && !last.isFull) return last;
    if (!last) setImmediate(() => this.#sendPages());
    const page = new Page();
    this.#pages.push(page);
    return page;
  }

  #sendPages(): void {
    const pages = this.#pages;
    this.#pages = [];
    for (const page of pages) page.settleWith(this.#insure(() => this.#lists.push(page.elements)));
  }

  async #addWithId({ id, dataJson, maxAttempts }: AddRequest): Promise<AddResult> {
    const element = encodeElement({ id, dataJson, at: Date.now(), maxAttempts, hasOwnId: true });
    const [added] = await this.#insure(() => this.#lists.pushWithIds([id, element]));
    return { id, added: added === true };
  }

  async #insure<Result>(send: () => Promise<Result>): Promise<Result> {
    if (!this.#lists.connection.isReady) await this.#lists.connection.ensureReady(readyWithinMs);
    try {
      return await send();
    } catch (error) {
      if (!isConnectionError(error)) throw toError(error);
      throw new KeylineError(
        "OUTCOME_UNKNOWN",
        `The connection to Valkey broke while jobs were added to queue ${this.#queue}: some, all or none of them are there. With ids of your own they can be added again: one that still waits is not added twice`,
        { cause: error },
      );
    }
  }
}
