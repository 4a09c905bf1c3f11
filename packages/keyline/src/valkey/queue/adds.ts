import type { ValkeyConnection } from "../client/connection.ts";
import type { ElementBatch } from "./element-batch.ts";
import { scriptsBeside, type Script } from "../client/script.ts";
import type { QueueKeys } from "./keys.ts";

const script = scriptsBeside(import.meta.url);
const addWithId = script(2, "add-with-id");
const addScheduled = script(1, "base", "place", "add-scheduled");
const addPlaced = script(1, "base", "place", "lines", "groups", "add-grouped", "once", "add-placed");

/** A job that does not simply go to the tail: its element, and names and values as add-placed.lua takes them. */
export interface PlacedElement {
  readonly element: string;
  readonly options: readonly (string | number)[];
}

/** How jobs come onto the list of one queue. */
export class Adds {
  readonly #connection: ValkeyConnection;
  readonly #keys: QueueKeys;
  /** Scripts that the server has been sent on this connection, so that they can be called by their hash from then on. */
  readonly #sent = new Set<Script>();

  constructor(connection: ValkeyConnection, keys: QueueKeys) {
    this.#connection = connection;
    this.#keys = keys;
    connection.onLost(() => this.#sent.clear());
  }

  /** Adds jobs, in this order. */
  push(elements: ElementBatch): Promise<unknown> {
    return elements.pushTo(this.#connection, this.#keys.waiting);
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
    const answers = await this.#run(addPlaced, values);
    const others = answers as readonly string[];
    return jobs.map((_, index) => others[index] || undefined);
  }

  /** Adds jobs that are due later, in this order. For each: when, in milliseconds since 1970 or, behind a plus, from now on, and its element. */
  async schedule(timesAndElements: readonly string[]): Promise<void> {
    await this.#run(addScheduled, [this.#keys.workers, ...timesAndElements]);
  }

  // Sent by its text at first. What is sent behind that, on the same connection, finds the script there: nothing overtakes anything.
  #run(script: Script, values: readonly (string | number)[]): Promise<unknown> {
    if (this.#sent.has(script)) return script.run(this.#connection, values);
    const answers = script.runByText(this.#connection, values);
    this.#sent.add(script);
    return answers;
  }
}
