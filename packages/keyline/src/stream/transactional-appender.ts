/*
 * DESIGN. An append to a transactional stream is done when it is committed in PostgreSQL. Without a transaction of the caller's, appends
 * of the same moment share a statement: what comes while one is under way goes with the next. Their places are given in it, and it is
 * known what stands before them, so they go straight on to Valkey; where others came in between, or Valkey has not got that far, the
 * relay brings them in their order. Within a transaction the rows have no place yet: when its COMMIT is seen the relay places and brings them.
 */
import type { EventRelay } from "../postgres/event/event-relay.ts";
import type { EventOutlet } from "../postgres/event/event-relay.ts";
import { EventAppends, type Once, type Placed } from "../postgres/event/event-appends.ts";
import type { EventTable } from "../postgres/event/event-table.ts";
import { isAnswerLost } from "../postgres/client/failures.ts";
import type { TransactionClient } from "../postgres/client/options.ts";
import { isOnesOwn, nameRefused } from "../postgres/client/refused-data.ts";
import { noteTransactionId } from "../postgres/client/transaction.ts";
import { mayBeInTransaction, TransactionWatch } from "../postgres/client/transaction-watch.ts";
import { checkTransaction } from "../postgres/client/tx-check.ts";
import { setImmediate } from "../runtime/clock.ts";
import { KeylineError, toError } from "../runtime/errors.ts";
import { newId } from "../runtime/ids.ts";
import type { OutgoingEntry, Appended } from "../valkey/stream/stream-log.ts";

interface Pending {
  readonly entries: readonly OutgoingEntry[];
  readonly resolve: (appended: Appended[]) => void;
  readonly reject: (error: Error) => void;
}

const maxStatementEntries = 1_000;
const maxStatementLength = 8_388_608;

export interface TransactionalAppenderParts {
  readonly table: EventTable;
  readonly outlet: EventOutlet;
  readonly relay: EventRelay;
  readonly noteAppended: (entries: number) => void;
}

export class TransactionalAppender {
  readonly #parts: TransactionalAppenderParts;
  readonly #appends: EventAppends;
  /** Transactions that are open, and how many entries each has appended. */
  readonly #watched = new Map<TransactionWatch, number>();
  #pending: Pending[] = [];
  #sending: Promise<void> | undefined;

  constructor(parts: TransactionalAppenderParts) {
    this.#parts = parts;
    this.#appends = new EventAppends(parts.table.database, parts.table.stream);
  }

  /** Appends these entries in one transaction. */
  append(entries: readonly OutgoingEntry[]): Promise<Appended[]> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ entries, resolve, reject });
      this.#sending ??= new Promise((begin) => setImmediate(begin)).then(() => this.#sendAll());
    });
  }

  /** Appends within the caller's transaction. The ids are those of the rows. */
  async appendWithin(tx: TransactionClient, entries: readonly OutgoingEntry[]): Promise<Appended[]> {
    const { table, relay } = this.#parts;
    table.database.require();
    const check = checkTransaction(tx);
    if (check) await check;
    const watch = TransactionWatch.on(tx);
    const results: Appended[] = [];
    const rows: (OutgoingEntry & { readonly rowId: string })[] = [];
    for (const entry of entries) {
      const rowId = newId();
      const known = entry.once && (await this.#appends.claimOnce(tx, entry.once, rowId));
      results.push(known === undefined ? { id: rowId, appended: true } : { id: known, appended: false });
      if (known === undefined) rows.push({ ...entry, rowId });
    }
    if (rows.length === 0) return results;
    const xid = await this.#appends.insertWithin(tx, rows).catch((error: unknown) => {
      throw this.#nameRefused(error, rows);
    });
    noteTransactionId(tx, xid);
    // The end may have come with the same packet as the answer.
    if (!watch || !mayBeInTransaction(tx)) {
      relay.expectEvents(table.stream);
      this.#parts.noteAppended(rows.length);
    } else {
      this.#bringAtEnd(watch, rows.length);
    }
    return results;
  }

  /** Resolves when everything that was appended so far is committed, or has failed. */
  async drained(): Promise<void> {
    while (this.#sending) await this.#sending;
  }

  #bringAtEnd(watch: TransactionWatch, entries: number): void {
    const known = this.#watched.get(watch);
    this.#watched.set(watch, (known ?? 0) + entries);
    if (known !== undefined) return;
    const { relay, table, noteAppended } = this.#parts;
    watch.onEnd((end) => {
      if (end !== "rolled-back") noteAppended(this.#watched.get(watch) ?? 0);
      this.#watched.delete(watch);
      if (end === "unsure") relay.expectEvents(table.stream);
      else if (end === "committed") relay.lookSoon(table.stream);
    });
  }

  async #sendAll(): Promise<void> {
    while (this.#pending.length > 0) await this.#send(this.#pending.splice(0, this.#fitting()));
    this.#sending = undefined;
  }

  /** How many of the calls that wait fit into one statement. */
  #fitting(): number {
    let count = 0;
    let length = 0;
    const end = this.#pending.findIndex(({ entries }, index) => {
      // One with an idempotency key goes by itself, in its place.
      if (index > 0 && (entries[0]?.once || this.#pending[0]?.entries[0]?.once)) return true;
      count += entries.length;
      for (const { dataJson } of entries) length += dataJson.length;
      return index > 0 && (count > maxStatementEntries || length > maxStatementLength);
    });
    return end < 0 ? this.#pending.length : end;
  }

  async #send(calls: readonly Pending[]): Promise<void> {
    try {
      const entries = calls.flatMap((call) => call.entries);
      const [call] = calls;
      if (call && entries[0]?.once) return call.resolve(await this.#appendOnce(entries[0], entries[0].once));
      const placed = await this.#insure(() => this.#appends.append(entries));
      let first = 0;
      for (const call of calls) {
        call.resolve(placed.ids.slice(first, first + call.entries.length).map((id) => ({ id, appended: true })));
        first += call.entries.length;
      }
      this.#bring(entries, placed);
    } catch (error) {
      if (calls.length > 1 && isOnesOwn(error)) return this.#sendHalves(calls);
      const named = this.#nameRefused(
        error,
        calls.flatMap(({ entries }) => entries),
      );
      for (const { reject } of calls) reject(toError(named));
    }
  }

  /** One of them is refused, and not one was appended: it must take no neighbour down. */
  async #sendHalves(calls: readonly Pending[]): Promise<void> {
    const middle = Math.ceil(calls.length / 2);
    await this.#send(calls.slice(0, middle));
    await this.#send(calls.slice(middle));
  }

  #nameRefused(error: unknown, entries: readonly OutgoingEntry[]): unknown {
    const fields = {
      key: entries.map(({ key }) => key).join(""),
      idempotencyKey: entries[0]?.once?.key,
      data: entries.map(({ dataJson }) => dataJson).join(""),
    };
    return nameRefused(error, `stream ${this.#parts.table.stream}`, fields);
  }

  async #appendOnce(entry: OutgoingEntry, once: Once): Promise<Appended[]> {
    const placed = await this.#insure(() => this.#appends.appendOnce(entry, once));
    if (typeof placed === "string") return [{ id: placed, appended: false }];
    this.#bring([entry], placed);
    return [{ id: placed.ids[0] ?? "", appended: true }];
  }

  #bring(entries: readonly OutgoingEntry[], { before, others, ids }: Placed): void {
    const { outlet, relay, table, noteAppended } = this.#parts;
    noteAppended(entries.length);
    if (others > 0 || !outlet.isOpen) return relay.lookSoon(table.stream);
    const events = entries.map(({ dataJson, key, trace }, index) => ({ id: ids[index] ?? "", key, data: dataJson, trace }));
    void outlet.append(before, events).then(
      (end) => end !== ids.at(-1) && relay.lookSoon(table.stream),
      () => relay.lookSoon(table.stream),
    );
  }

  async #insure<Result>(send: () => Promise<Result>): Promise<Result> {
    try {
      return await send();
    } catch (error) {
      if (!isAnswerLost(error)) throw error;
      throw new KeylineError(
        "OUTCOME_UNKNOWN",
        `The connection to PostgreSQL broke while events were appended to stream ${this.#parts.table.stream}: whether they are there is not ` +
          "known. They were not sent again; an append with an idempotencyKey can be repeated",
        { cause: error },
      );
    }
  }
}
