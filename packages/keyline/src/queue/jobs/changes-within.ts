/*
 * DESIGN. A job is changed within a transaction of the caller's: by its COMMIT, and by nothing else.
 *
 *   1 mark    its element gets the field `latest`, or, where there is none, all workers ask the rows of what they take for a minute, as in job-updates.ts. With a worker: it is running, and
 *             nothing is changed. The mark says nothing of the job but that its row is to be asked
 *   2 lock    its row is locked in the transaction. Whoever takes the job from then on asks its row, does not get it, and has the job rest for a moment: until the transaction has ended
 *   3 look    it is looked for once more: a worker that asked the row before 2 has it
 *   4 write   the row is changed. At the COMMIT its element goes where the row says; it is noted as undelivered, so that the relay brings another one where that is not done
 *
 * _A ROLLBACK, the process dies before the COMMIT, or its answer gets lost and it was none:_ the row is as it was. Workers ask it, which it does not need.
 * _The process dies behind the COMMIT:_ the relay delivers what goes elsewhere. What stays in its place has its mark.
 * _The job was added by the same transaction:_ its element comes behind the COMMIT, and workers ask its row.
 * _The transaction goes on for long:_ the job waits for its end, and so does a worker that had it before 1 and settles it.
 */
import type { TransactionClient } from "../../postgres/client/options.ts";
import { noteTransactionId } from "../../postgres/client/transaction.ts";
import { mayBeInTransaction, TransactionWatch } from "../../postgres/client/transaction-watch.ts";
import { clearTimeout, setTimeout } from "../../runtime/clock.ts";
import { checkTransaction } from "../../postgres/client/tx-check.ts";
import type { ChangedWithin } from "../../postgres/job/changed-within.ts";
import type { JobRow } from "../../postgres/job/job-row.ts";
import { asLatest } from "../element-text.ts";
import { isHeld, type FoundElement } from "./job-finder.ts";
import type { CheckedChanges, UpdateResult } from "./update-options.ts";

interface ChangesParts {
  readonly rows: ChangedWithin;
  /** What was committed may be there that nobody delivers. */
  expectRows(): void;
  /** Its delivery is not to be noted any more. */
  forgetNote(id: string): void;
  find(id: string): Promise<FoundElement | undefined>;
  /** 1 */
  findAndMark(id: string): Promise<FoundElement | "moved" | undefined>;
  /** Brings the element where the row says. */
  place(row: JobRow): Promise<unknown>;
  stateOf(found: FoundElement): UpdateResult["state"];
}

const tries = 10;
const markEveryMs = 20_000;
const beingRun: UpdateResult = { updated: false, state: "running" };

/** Changes jobs of one transactional queue within transactions of callers. */
export class ChangesWithin {
  readonly #parts: ChangesParts;

  constructor(parts: ChangesParts) {
    this.#parts = parts;
  }

  async update(tx: TransactionClient, id: string, changes: CheckedChanges): Promise<UpdateResult> {
    const { rows, find, findAndMark, stateOf } = this.#parts;
    await checked(tx);
    const { delayMs, runAt, priority } = changes;
    const isTimed = (delayMs ?? runAt) !== undefined;
    const isMoved = isTimed || priority !== undefined;
    for (let tried = 0; tried < tries; tried++) {
      const state = await rows.state(tx, id);
      if (state !== "open") return { updated: false, state };
      const found = await findAndMark(id);
      if (found === "moved") continue;
      if (found && isHeld(found)) return beingRun;
      if (isMoved) this.#parts.forgetNote(id);
      if (!(await rows.lock(tx, id, { isTimed }))) continue;
      const now = await find(id);
      if (now && isHeld(now)) return beingRun;
      const isMarked = now ? asLatest(now.raw) === now.raw : found === undefined;
      if (!isMarked) continue;
      const row = await rows.write(tx, id, changes);
      if (!row) continue;
      this.#follow(tx, row, { isMoved });
      if (!now) this.#markOn(tx, id);
      return { updated: true, state: row.delay > 0 ? "scheduled" : isTimed || !now ? "waiting" : stateOf(now) };
    }
    return beingRun;
  }

  /** False when the job is not scheduled. */
  async promote(tx: TransactionClient, id: string): Promise<boolean> {
    await checked(tx);
    this.#parts.forgetNote(id);
    const row = await this.#parts.rows.promote(tx, id);
    if (!row) return false;
    this.#follow(tx, row, { isMoved: true });
    return true;
  }

  /** The mark of a job that was nowhere lasts a minute, and its element may come by the same COMMIT. */
  #markOn(tx: TransactionClient, id: string): void {
    const again = (): void => void this.#parts.findAndMark(id).catch(() => undefined);
    let timer = setTimeout(function next() {
      again();
      timer = setTimeout(next, markEveryMs).unref();
    }, markEveryMs).unref();
    TransactionWatch.on(tx)?.onEnd(() => clearTimeout(timer));
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

async function checked(tx: TransactionClient): Promise<void> {
  const check = checkTransaction(tx);
  if (check) await check;
}
