import { setImmediate } from "../../runtime/clock.ts";
import { KeylineError, toError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { isAnswerLost } from "../../postgres/client/failures.ts";
import type { JobTable } from "../../postgres/job/job-table.ts";
import type { TransactionClient } from "../../postgres/client/options.ts";
import { isOnesOwn, nameRefused } from "../../postgres/client/refused-data.ts";
import type { JobRelay } from "../../postgres/job/job-relay.ts";
import { noteTransactionId } from "../../postgres/client/transaction.ts";
import { mayBeInTransaction, TransactionWatch } from "../../postgres/client/transaction-watch.ts";
import { checkTransaction } from "../../postgres/client/tx-check.ts";
import type { AddRequest } from "./add-request.ts";
import type { Adder } from "./adder.ts";
import type { Committed } from "./committed.ts";
import { insertedOnce, insertedRows, ordersOf, toNewJob, toOnceJob, toPlacedJob, type Inserted } from "./inserted.ts";
import type { JobOutlet } from "./job-outlet.ts";
import type { AddWatch } from "../events/add-watch.ts";
import type { AddResult } from "../options.ts";

interface Pending {
  readonly request: AddRequest;
  /** The same for all that were added by one call. */
  readonly call: object | undefined;
  readonly resolve: (result: AddResult) => void;
  readonly reject: (error: Error) => void;
}

const maxStatementJobs = 1_000;
const maxStatementLength = 8_388_608;

/**
 * Adds to a transactional queue: a row first, and the element once its COMMIT is seen.
 *
 * Without a transaction of the caller's, adds of the same moment share a statement: what comes while one is under way goes
 * with the next. With one, the end of it is watched on its connection; what that does not show, the relay finds.
 */
export class TransactionalAdder implements Adder {
  readonly #table: JobTable;
  readonly #outlet: JobOutlet;
  readonly #relay: JobRelay;
  readonly #adds: AddWatch;
  readonly #logger: Logger;
  /** What was added in transactions that are open. */
  readonly #open = new Map<TransactionWatch, Committed[]>();
  #pending: Pending[] = [];
  #sending: Promise<void> | undefined;

  constructor(
    table: JobTable,
    parts: { readonly outlet: JobOutlet; readonly relay: JobRelay; readonly adds: AddWatch; readonly logger: Logger },
  ) {
    this.#table = table;
    this.#outlet = parts.outlet;
    this.#relay = parts.relay;
    this.#adds = parts.adds;
    this.#logger = parts.logger;
  }

  add(request: AddRequest): Promise<AddResult> {
    return this.#add(request, undefined);
  }

  addMany(requests: readonly AddRequest[]): Promise<AddResult[]> {
    return Promise.all(requests.map((request) => this.#add(request, requests)));
  }

  async drained(): Promise<void> {
    while (this.#sending) await this.#sending;
    await this.#table.once.swept();
  }

  /** Adds within the caller's transaction. */
  async addWithin(tx: TransactionClient, requests: readonly AddRequest[]): Promise<AddResult[]> {
    if (requests.length === 0) return [];
    const check = checkTransaction(tx);
    if (check) await check;
    this.#adds.noteUse();
    if (!this.#outlet.isChecked) await this.#outlet.check({ isInTransaction: true });
    const watch = TransactionWatch.on(tx);
    const { answers, committed, xid } = await this.#insertWithin(tx, requests).catch((error: unknown) => {
      throw this.#nameRefused(error, requests);
    });
    if (xid !== undefined) noteTransactionId(tx, xid);
    // The end may have come with the same packet as the answer.
    if (committed.length > 0 && watch && mayBeInTransaction(tx)) {
      this.#pushAtEnd(watch, committed);
      watch.onEnd((end) => void (end === "committed" && this.#adds.noteAll(answers)));
    } else {
      this.#relay.expectRows();
    }
    return [...answers];
  }

  async #insertWithin(tx: TransactionClient, requests: readonly AddRequest[]): Promise<Inserted & { readonly xid: string | undefined }> {
    const { placed, once } = this.#table;
    if (requests.some(isOnce)) {
      const rows = await once.addWithin(tx, requests.map(toOnceJob));
      once.sweepSoon();
      return { ...insertedOnce(requests, rows), xid: rows[0]?.xid ?? undefined };
    }
    if (requests.some(isPlaced)) {
      const rows = await placed.insertWithin(tx, requests.map(toPlacedJob));
      return { ...insertedRows(requests, ordersOf(rows)), xid: rows[0]?.xid };
    }
    const { added, xid } = await this.#table.insertWithin(tx, requests.map(toNewJob));
    return { ...insertedRows(requests, new Map([...added].map((id) => [id, undefined]))), xid };
  }

  #pushAtEnd(watch: TransactionWatch, elements: Committed[]): void {
    const known = this.#open.get(watch);
    if (known) {
      known.push(...elements);
      return;
    }
    this.#open.set(watch, elements);
    watch.onEnd((end) => {
      this.#open.delete(watch);
      if (end === "committed") this.#outlet.pushCommitted(elements);
      else if (end === "unsure") void this.#pushWhatIsThere(elements);
    });
  }

  // Part of the transaction may have been rolled back to a savepoint: nobody may ever see what was added there.
  async #pushWhatIsThere(elements: readonly Committed[]): Promise<void> {
    try {
      const open = await this.#table.findOpen(elements.map(({ id }) => id));
      this.#outlet.pushCommitted(elements.filter(({ id }) => open.has(id)));
    } catch (error) {
      this.#logger.debug(
        { error: String(error), queue: this.#table.queue },
        "the end of a transaction could not be seen; the relay brings its jobs",
      );
      this.#relay.expectRows();
    }
  }

  #add(request: AddRequest, call: object | undefined): Promise<AddResult> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ request, call, resolve, reject });
      this.#sending ??= new Promise((begin) => setImmediate(begin)).then(() => this.#sendAll());
    });
  }

  async #sendAll(): Promise<void> {
    while (this.#pending.length > 0) await this.#send(this.#pending.splice(0, this.#fitting()));
    this.#sending = undefined;
  }

  /** How many of those that wait fit into one statement. */
  #fitting(): number {
    let length = 0;
    const end = this.#pending.findIndex(({ request }, index) => (length += request.dataJson.length) > maxStatementLength && index > 0);
    return Math.min(maxStatementJobs, end < 0 ? this.#pending.length : end);
  }

  async #send(batch: readonly Pending[]): Promise<void> {
    try {
      const requests = batch.map(({ request }) => request);
      const { answers, committed } = await this.#insert(requests);
      this.#outlet.pushCommitted(committed);
      this.#adds.noteAll(answers);
      answers.forEach((answer, index) => batch[index]?.resolve(answer));
    } catch (error) {
      const middle = isOnesOwn(error) ? middleOf(batch) : undefined;
      // One of them is refused, and not one was added: it must take no neighbour down.
      if (middle !== undefined) {
        await this.#send(batch.slice(0, middle));
        return this.#send(batch.slice(middle));
      }
      const named = this.#nameRefused(
        error,
        batch.map(({ request }) => request),
      );
      for (const { reject } of batch) reject(toError(named));
    }
  }

  #nameRefused(error: unknown, requests: readonly AddRequest[]): unknown {
    return nameRefused(error, `queue ${this.#table.queue}`, { data: requests[0]?.dataJson });
  }

  async #insert(requests: readonly AddRequest[]): Promise<Inserted> {
    if (!this.#outlet.isChecked) await this.#outlet.check({ isInTransaction: false });
    try {
      if (requests.some(isPlaced)) return await this.#insertPlaced(requests);
      const jobs = requests.map(toNewJob);
      if (requests.some((request) => request.isOwnId)) {
        const added = await this.#table.insertUnlessKnown(jobs);
        return insertedRows(requests, new Map([...added].map((id) => [id, undefined])));
      }
      await this.#table.insert(jobs);
      return insertedRows(requests, undefined);
    } catch (error) {
      if (isAnswerLost(error)) return this.#findOut(requests, error);
      throw error;
    }
  }

  async #insertPlaced(requests: readonly AddRequest[]): Promise<Inserted> {
    const { placed, once } = this.#table;
    if (!requests.some(isOnce)) return insertedRows(requests, ordersOf(await placed.insert(requests.map(toPlacedJob))));
    once.sweepSoon();
    return insertedOnce(requests, await once.add(requests.map(toOnceJob)));
  }

  /**
   * The answer to the statement got lost. Rows that are there prove that it took effect, as the ids are new; none there may mean
   * that it did not, or that all were settled already. It is never sent again: that could add a settled job a second time.
   */
  async #findOut(requests: readonly AddRequest[], cause: KeylineError): Promise<Inserted> {
    const deadline = AbortSignal.timeout(5_000);
    await this.#table.database.whenAvailable(deadline);
    if (!deadline.aborted && requests.every((request) => !request.isOwnId && !isOnce(request))) {
      const turns = await this.#table.placed.findTurns(requests.map(({ id }) => id)).catch(() => undefined);
      if (turns && turns.length > 0) {
        const orders = ordersOf(turns);
        return insertedRows(requests, new Map(requests.map(({ id }) => [id, orders.get(id)])));
      }
    }
    throw new KeylineError(
      "OUTCOME_UNKNOWN",
      `The connection to PostgreSQL broke while jobs were added to queue ${this.#table.queue}: all or none of them are there. Look for the effects of such jobs before you add them again, or add within a transaction of your own`,
      { cause },
    );
  }
}

/** The place nearest to the middle that parts no call; undefined where there is one call. */
function middleOf(batch: readonly Pending[]): number | undefined {
  const middle = batch.length / 2;
  let best: number | undefined;
  for (let index = 1; index < batch.length; index++) {
    const call = batch[index]?.call;
    if (call !== undefined && call === batch[index - 1]?.call) continue;
    if (best === undefined || Math.abs(index - middle) < Math.abs(best - middle)) best = index;
  }
  return best;
}

/** It has more than the columns that nearly all have. */
function isPlaced({ placement, keepMs, trace }: AddRequest): boolean {
  return placement !== undefined || keepMs !== undefined || trace !== undefined;
}

function isOnce({ placement }: AddRequest): boolean {
  return placement?.once !== undefined;
}
