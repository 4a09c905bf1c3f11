import type { ValkeyConnection } from "../../valkey/client/connection.ts";
import { unlessAway } from "../../valkey/client/unless-away.ts";
import type { DeadLetter, LetterHead } from "./dead-letter.ts";
import type { HeadRange, ReadableShelf } from "./letter-shelf.ts";

/** Dead letters of a transactional queue that are no rows: of elements that are no job. While Valkey is away there are none to be read, and all others are told. Who acts on letters takes them as they are on Valkey, so that none is left out. */
export class StrayLetters implements ReadableShelf {
  readonly #connection: ValkeyConnection;
  readonly #shelf: ReadableShelf;

  constructor(connection: ValkeyConnection, shelf: ReadableShelf) {
    this.#connection = connection;
    this.#shelf = shelf;
  }

  async page(range: HeadRange): Promise<readonly LetterHead[]> {
    return (await unlessAway(this.#connection, () => this.#shelf.page(range))) ?? [];
  }

  async of(ids: readonly string[]): Promise<readonly LetterHead[]> {
    return (await unlessAway(this.#connection, () => this.#shelf.of(ids))) ?? [];
  }

  async read(heads: readonly LetterHead[]): Promise<readonly (DeadLetter | undefined)[]> {
    return (await unlessAway(this.#connection, () => this.#shelf.read(heads))) ?? [];
  }

  async count(): Promise<number> {
    return (await unlessAway(this.#connection, () => this.#shelf.count())) ?? 0;
  }
}
