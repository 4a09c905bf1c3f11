import type { ValkeyConnection } from "../client/connection.ts";
import type { ElementBatch } from "./element-batch.ts";
import { scriptsBeside } from "../client/script.ts";
import type { QueueKeys } from "./keys.ts";

const script = scriptsBeside(import.meta.url);
const addWithId = script(2, "add-with-id");

/** How jobs come onto the list of one queue. */
export class Adds {
  readonly #connection: ValkeyConnection;
  readonly #keys: QueueKeys;

  constructor(connection: ValkeyConnection, keys: QueueKeys) {
    this.#connection = connection;
    this.#keys = keys;
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
}
