import type { ValkeyConnection } from "../client/connection.ts";
import { scriptsBeside } from "../client/script.ts";

const script = scriptsBeside(import.meta.url);
const add = script(2, "audit-add");
const finish = script(2, "audit-finish");
const page = script(2, "audit-page");

/** An entry's id, its text, and how it ended; empty while it has not. */
export interface LoggedEntry {
  readonly id: string;
  readonly text: string;
  readonly end: string;
}

const kept = 10_000;

/** The audit trail of a Keyline without PostgreSQL: a stream of the newest entries. */
export class AuditLog {
  readonly #connection: ValkeyConnection;
  readonly #keys: readonly [entries: string, ends: string];

  constructor(connection: ValkeyConnection, prefix: string) {
    this.#connection = connection;
    /** Stream: the entries. Hash: id of an entry -> how it ended. Both in one slot, which a script may touch. */
    this.#keys = [`${prefix}:{audit}:audit`, `${prefix}:{audit}:audit-ends`];
  }

  async add(text: string): Promise<string> {
    return (await add.run(this.#connection, [...this.#keys, kept, text])) as string;
  }

  /** False when there is no such entry, or it has ended before. */
  async finish(id: string, end: string): Promise<boolean> {
    return (await finish.run(this.#connection, [...this.#keys, id, end])) === 1;
  }

  /** Newest first, those before `before` where it is given. */
  async page(before: string | undefined, limit: number): Promise<LoggedEntry[]> {
    const reply = (await page.run(this.#connection, [...this.#keys, before === undefined ? "+" : `(${before}`, limit])) as string[];
    return Array.from({ length: reply.length / 3 }, (_, index) => {
      const [id = "", text = "", end = ""] = reply.slice(index * 3, index * 3 + 3);
      return { id, text, end };
    });
  }
}
