/*
 * DESIGN. A job is changed within a transaction of the caller's: by its COMMIT, and by nothing else.
 *
 *   1 mark    its element gets the field `latest`, which has workers ask its row; where there is none, or it may have copies, all workers ask the rows of what they take, for as long as the
 *             transaction is open and a while longer. With a worker: it is running, and nothing is changed. This is as in job-updates.ts, and says nothing of the job but that its row is to be asked
 *   2 lock    its row is locked in the transaction. Whoever takes the job from then on asks its row, does not get it, and has the job rest for a moment: until the transaction has ended. What was
 *             delivered again has no mark, and its worker asks its row all the same: there it hears that jobs of the queue are being changed, and begins it only where its row is free
 *   3 look    what workers hold is looked through: one that asked the row before 2 has it still, as the row has to say first what becomes of the job
 *   4 write   the row is changed. At the COMMIT its element goes where the row says; it is noted as undelivered, so that the relay brings another one where that is not done
 *
 * Nothing needs a second connection, for which transactions that have all of a pool's would wait.
 *
 * _The transaction has added the job:_ its element comes behind the COMMIT, with the mark, or from the relay.
 * _Its lease was lost, and its worker still runs it:_ the element is back and counts that attempt, and the row may not know of it yet. Then 4 says it too, so that such a worker settles nothing.
 * _A relay or a rebuild brings another element:_ it says that it was delivered again.
 * _A ROLLBACK, the process dies before the COMMIT, or its answer gets lost and it was none:_ the row is as it was. Workers ask it, which it does not need.
 * _The process dies behind the COMMIT:_ the relay delivers what goes elsewhere, but for what another process notes as delivered at that moment, which is due when it was. What stays in its place has
 * its mark.
 * _The transaction goes on for long:_ the job waits for its end.
 */
import type { TransactionClient } from "../../postgres/client/options.ts";
import { noteTransactionId } from "../../postgres/client/transaction.ts";
import { mayBeInTransaction, TransactionWatch } from "../../postgres/client/transaction-watch.ts";
import { checkTransaction } from "../../postgres/client/tx-check.ts";
import type { ChangedWithin } from "../../postgres/job/changed-within.ts";
import type { JobRow } from "../../postgres/job/job-row.ts";
import { clearInterval, setInterval } from "../../runtime/clock.ts";
import { delay, retryDelay } from "../../runtime/waiting.ts";
import { readHead } from "../element.ts";
import { isHeld, type FoundElement } from "./job-finder.ts";
import type { CheckedChanges, UpdateResult } from "./update-options.ts";

interface ChangesParts {
  readonly rows: ChangedWithin;
  /** What was committed may be there that nobody delivers. */
  expectRows(): void;
  /** Its delivery, if it is still to come, says that its row is to be asked. Returns what ends that. */
  expectChange(id: string): () => void;
  /** Its delivery is not to be noted any more. */
  forgetNote(id: string): void;
  /** 1. Calls `onMark` where all workers ask the rows of what they take. */
  findAndMark(id: string, onMark: () => void): Promise<FoundElement | "moved" | undefined>;
  /** 3 */
  findHeld(id: string): Promise<FoundElement | undefined>;
  /** Has all workers ask for a minute more. */
  markAll(id: string): Promise<void>;
  /** Brings the element where the row says. */
  place(row: JobRow): Promise<unknown>;
  stateOf(found: FoundElement): UpdateResult["state"];
}

/** A job that is locked. */
interface Locked {
  readonly found: FoundElement | undefined;
  /** Of its element. */
  readonly attempts: number;
}

const tries = 10;
const markEveryMs = 20_000;
/** So often it is marked where nobody sees the end of the transaction: for ten minutes. */
const mostMarks = 30;
const beingRun: UpdateResult = { updated: false, state: "running" };

/** Changes jobs of one transactional queue within transactions of callers. */
export class ChangesWithin {
  readonly #parts: ChangesParts;

  constructor(parts: ChangesParts) {
    this.#parts = parts;
  }

  async update(tx: TransactionClient, id: string, changes: CheckedChanges): Promise<UpdateResult> {
    const { delayMs, runAt, priority } = changes;
    const isTimed = (delayMs ?? runAt) !== undefined;
    const isMoved = isTimed || priority !== undefined;
    const locked = await this.#lock(tx, id, { isTimed, isMoved });
    if ("updated" in locked) return locked;
    const { found, attempts } = locked;
    const row = await this.#parts.rows.write(tx, id, changes, attempts);
    if (!row) return beingRun;
    if (!found) this.#markDelivery(tx, id);
    this.#follow(tx, row, { isMoved });
    return { updated: true, state: row.delay > 0 ? "scheduled" : isTimed || !found ? "waiting" : this.#parts.stateOf(found) };
  }

  /** False when the job is not scheduled. */
  async promote(tx: TransactionClient, id: string): Promise<boolean> {
    const locked = await this.#lock(tx, id, { isTimed: false, isMoved: true });
    if ("updated" in locked) return false;
    const row = await this.#parts.rows.promote(tx, id, locked.attempts);
    if (row) this.#follow(tx, row, { isMoved: true });
    return row !== undefined;
  }

  /** 1 to 3: or why it cannot be changed. */
  async #lock(
    tx: TransactionClient,
    id: string,
    { isTimed, isMoved }: { readonly isTimed: boolean; readonly isMoved: boolean },
  ): Promise<Locked | UpdateResult> {
    const { rows, findAndMark, findHeld, forgetNote } = this.#parts;
    const check = checkTransaction(tx);
    if (check) await check;
    let isMarked = false;
    for (let tried = 1; tried <= tries; tried++) {
      const state = await rows.state(tx, id);
      if (state !== "open") return { updated: false, state };
      const found = await findAndMark(id, () => {
        if (!isMarked) this.#markOn(tx, id);
        isMarked = true;
      });
      if (found !== "moved") {
        if (found && isHeld(found)) return beingRun;
        // Not once the row says that nothing is delivered. A relay may bring another one then, beside one that is marked.
        if (isMoved && found) forgetNote(id);
        if (await rows.lock(tx, id, { isTimed })) {
          if (await findHeld(id)) return beingRun;
          return { found, attempts: (found && readHead(found.raw)?.attempts) ?? 0 };
        }
      }
      await delay(retryDelay(tried, { first: 5, max: 200 }));
    }
    return beingRun;
  }

  /** The same transaction may have added it: its element comes behind the COMMIT, when Valkey may have forgotten what workers were told. */
  #markDelivery(tx: TransactionClient, id: string): void {
    const watch = TransactionWatch.on(tx);
    // Of another client it is the relay that delivers.
    if (watch) watch.onEnd(this.#parts.expectChange(id));
  }

  /** What all workers are told lasts a minute, and the transaction may last longer. */
  #markOn(tx: TransactionClient, id: string): void {
    let left = mostMarks;
    const timer = setInterval(() => {
      if (--left === 0) clearInterval(timer);
      this.#parts.markAll(id).catch(() => undefined);
    }, markEveryMs);
    timer.unref();
    TransactionWatch.on(tx)?.onEnd(() => clearInterval(timer));
  }

  #follow(tx: TransactionClient, row: JobRow & { readonly xid: string }, { isMoved }: { readonly isMoved: boolean }): void {
    noteTransactionId(tx, row.xid);
    if (!isMoved) return;
    const { place, expectRows } = this.#parts;
    const watch = TransactionWatch.on(tx);
    // The end may have come with the same packet as the answer.
    if (!watch || !mayBeInTransaction(tx)) {
      expectRows();
      return;
    }
    watch.onEnd((end) => {
      if (end === "committed") place(row).catch(expectRows);
      // Part of it may have been rolled back to a savepoint: the relay brings what is there.
      else if (end === "unsure") expectRows();
    });
  }
}
