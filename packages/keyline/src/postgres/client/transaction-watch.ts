import { originalOf } from "./lent-client.ts";
import type { TransactionClient } from "./options.ts";

/** How a transaction ended, as far as its connection showed: `unsure` when it broke off, or when a savepoint was rolled back. */
export type TransactionEnd = "committed" | "rolled-back" | "unsure";

/** The part of a `pg` client that shows what the server says of its transaction. */
interface Connection {
  on(event: "commandComplete", listener: (message: { text: string }) => void): unknown;
  on(event: "readyForQuery", listener: (message: { status: string }) => void): unknown;
  on(event: "end" | "error", listener: () => void): unknown;
}

const watches = new WeakMap<object, TransactionWatch>();

/**
 * Sees the end of a transaction on a `pg` client that belongs to somebody else. After every statement the server says whether the
 * session is idle (I), in a transaction (T) or in a failed one (E); the tag of the statement that ended it says which way.
 */
export class TransactionWatch {
  #listeners: ((end: TransactionEnd) => void)[] = [];
  #status = "";
  #sawCommit = false;
  #sawRollback = false;

  /** The watch on this client, or undefined where its connection cannot be seen. */
  static on(lent: TransactionClient): TransactionWatch | undefined {
    const client = originalOf(lent);
    const known = watches.get(client);
    if (known) return known;
    const connection = "connection" in client ? (client.connection as Connection | undefined) : undefined;
    if (typeof connection?.on !== "function") return undefined;
    const watch = new TransactionWatch(connection);
    watches.set(client, watch);
    return watch;
  }

  private constructor(connection: Connection) {
    connection.on("commandComplete", ({ text }) => this.#noteTag(text));
    connection.on("readyForQuery", ({ status }) => this.#noteStatus(status));
    connection.on("end", () => this.#finish("unsure"));
    connection.on("error", () => this.#finish("unsure"));
  }

  /** Calls `listener` once, at the end of the transaction that is open now. */
  onEnd(listener: (end: TransactionEnd) => void): void {
    this.#listeners.push(listener);
  }

  #noteTag(tag: string): void {
    if (this.#listeners.length === 0) return;
    if (tag === "COMMIT") this.#sawCommit = true;
    // Also the tag of ROLLBACK TO SAVEPOINT, after which the transaction goes on without some of what was added.
    else if (tag === "ROLLBACK") this.#sawRollback = true;
  }

  #noteStatus(status: string): void {
    this.#status = status;
    if (this.#listeners.length === 0) return;
    if (this.#sawCommit) this.#finish(this.#sawRollback ? "unsure" : "committed");
    else if (status === "I") this.#finish("rolled-back");
  }

  #finish(end: TransactionEnd): void {
    const listeners = this.#listeners;
    this.#listeners = [];
    this.#sawCommit = false;
    this.#sawRollback = false;
    for (const listener of listeners) listener(end);
  }

  /** False only when the server said that no transaction is open. */
  get mayBeOpen(): boolean {
    return this.#status !== "I";
  }
}

const beginning = new WeakSet<object>();

/** Begins a transaction of Keyline's own, which is made for this isolation whatever the database's default is. */
export const beginOwn = "BEGIN ISOLATION LEVEL READ COMMITTED";

/** Begins a transaction. What is sent meanwhile is already inside it. */
export async function begin(client: TransactionClient): Promise<void> {
  beginning.add(client);
  try {
    await client.query("BEGIN");
  } finally {
    beginning.delete(client);
  }
}

/** False only when the client knows that it is not inside a transaction. */
export function mayBeInTransaction(lent: TransactionClient): boolean {
  const client = originalOf(lent);
  if (beginning.has(client)) return true;
  if ("getTransactionStatus" in client && typeof client.getTransactionStatus === "function") {
    const status: unknown = client.getTransactionStatus();
    return status !== "I";
  }
  return watches.get(client)?.mayBeOpen ?? true;
}
