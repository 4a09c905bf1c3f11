import { KeylineError, toError } from "../runtime/errors.ts";
import { isConnectionError } from "../valkey/connection.ts";
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

/** Adds of one turn of the event loop. */
interface Turn {
  readonly elements: string[];
  readonly idsAndElements: string[];
  readonly sent: Promise<readonly boolean[]>;
}

const pageElements = 1_000;
const pageLength = 1_048_576;
const readyWithinMs = 5_000;

/** Adds to a plain queue: all of one turn of the event loop travel as one LPUSH. */
export class PlainAdder implements Adder {
  readonly #lists: QueueLists;
  readonly #queue: string;
  #turn: Turn | undefined;

  constructor(lists: QueueLists, queue: string) {
    this.#lists = lists;
    this.#queue = queue;
  }

  add(request: AddRequest): Promise<AddResult> {
    const turn = this.#openTurn();
    const number = this.#join(turn, request);
    return turn.sent.then((added) => ({ id: request.id, added: number < 0 || added[number] === true }));
  }

  async addMany(requests: readonly AddRequest[]): Promise<AddResult[]> {
    const turn = this.#openTurn();
    const numbers = requests.map((request) => this.#join(turn, request));
    const added = await turn.sent;
    return requests.map(({ id }, index) => {
      const number = numbers[index] ?? -1;
      return { id, added: number < 0 || added[number] === true };
    });
  }

  /** Returns the job's number among those with an id of their own, -1 for others. */
  #join(turn: Turn, { id, isOwnId, dataJson, maxAttempts }: AddRequest): number {
    const element = encodeElement({ id, dataJson, at: Date.now(), maxAttempts, hasOwnId: isOwnId });
    if (!isOwnId) {
      turn.elements.push(element);
      return -1;
    }
    turn.idsAndElements.push(id, element);
    return turn.idsAndElements.length / 2 - 1;
  }

  #openTurn(): Turn {
    if (this.#turn) return this.#turn;
    const elements: string[] = [];
    const idsAndElements: string[] = [];
    const sent = new Promise<readonly boolean[]>((resolve, reject) => {
      setImmediate(() => {
        this.#turn = undefined;
        this.#send(elements, idsAndElements).then(resolve, reject);
      });
    });
    this.#turn = { elements, idsAndElements, sent };
    return this.#turn;
  }

  async #send(elements: readonly string[], idsAndElements: readonly string[]): Promise<readonly boolean[]> {
    if (!this.#lists.connection.isReady) await this.#lists.connection.ensureReady(readyWithinMs);
    try {
      const pushes = pages(elements, 1).map((page) => this.#lists.push(page));
      const withIds = pages(idsAndElements, 2).map((page) => this.#lists.pushWithIds(page));
      await Promise.all(pushes);
      return (await Promise.all(withIds)).flat();
    } catch (error) {
      if (!isConnectionError(error)) throw toError(error);
      throw new KeylineError(
        "OUTCOME_UNKNOWN",
        `The connection to Valkey broke while jobs were added to queue ${this.#queue}: some, all or none of them are there. Add them again with ids of your own, and none is there twice`,
        { cause: error },
      );
    }
  }
}

/** Pages that keep the server's other clients waiting only for a moment. */
function pages(values: readonly string[], step: 1 | 2): string[][] {
  const all: string[][] = [];
  let page: string[] = [];
  let length = 0;
  for (let index = 0; index < values.length; index += step) {
    if (page.length >= pageElements || length >= pageLength) {
      all.push(page);
      page = [];
      length = 0;
    }
    for (const value of values.slice(index, index + step)) {
      page.push(value);
      length += value.length;
    }
  }
  if (page.length > 0) all.push(page);
  return all;
}
