import type { ValkeyConnection } from "../client/connection.ts";
import type { ElementBatch } from "./element-batch.ts";
import { scriptsBeside } from "../client/script.ts";
import type { QueueKeys } from "./keys.ts";

const script = scriptsBeside(import.meta.url);
const addWithId = script(2, "add-with-id");
const addPlaced = script(1, "base", "place", "groups", "once", "add-placed");

/** A job that does not simply go to the tail: its element, and names and values as add-placed.lua takes them. */
export interface PlacedElement {
  readonly element: string;
  readonly options: readonly (string | number)[];
}

/** How jobs come onto the list of one queue. */
export class Adds {
  readonly #connection: ValkeyConnection;
  readonly #keys: QueueKeys;
  /** The server has been sent the script on this connection, so that it can be called by its hash from then on. */
  #isSent = false;

  constructor(connection: ValkeyConnection, keys: QueueKeys) {
    this.#connection = connection;
    this.#keys = keys;
    connection.onLost(() => (this.#isSent = false));
  }

  /** Adds jobs, in this order. */
  async push(elements: ElementBatch): Promise<void> {
    await elements.pushTo(this.#connection, this.#keys.waiting);
  }

  /** Adds jobs with ids of their caller's, in this order. For each id and element: whether it was added. */
  async pushWithIds(idsAndElements: readonly string[]): Promise<readonly boolean[]> {
    const { ids, waiting } = this.#keys;
    const answers = await addWithId.runByText(this.#connection, [ids, waiting, ...idsAndElements]);
    return (answers as number[]).map((answer) => answer === 1);
  }

  /** Adds jobs where they belong, in this order. For each: undefined when it was added, else the id of the job that is there instead. */
  async place(jobs: readonly PlacedElement[]): Promise<readonly (string | undefined)[]> {
    const values: (string | number)[] = [this.#keys.workers];
    for (const { element, options } of jobs) values.push(element, options.length, ...options);
    const answers = await (this.#isSent ? addPlaced.run(this.#connection, values) : this.#placeByText(values));
    return (answers as string[]).map((answer) => (answer === "" ? undefined : answer));
  }

  // What is sent behind it, on the same connection, finds the script there: nothing overtakes anything.
  #placeByText(values: readonly (string | number)[]): Promise<unknown> {
    const answers = addPlaced.runByText(this.#connection, values);
    this.#isSent = true;
    return answers;
  }
}
