/*
 * DESIGN. What a job is can be changed until a worker has it: its data, its time, its priority.
 *
 * On a plain queue its element is looked for, and in one step another one is put in its place, if it is still there as it was read. One that moved meanwhile is
 * looked for again; one that a worker holds is running. So a take, a promotion, a retry or a cancel comes before that step or after it.
 *
 * On a transactional queue the row decides, and a worker that begins at the same moment has to ask it. So jobs that are updated go the way of a debounce (worker/turns.ts):
 *
 *   1 hold   the row says `is_latest`: who asks it before it begins the job notes there that it has begun, and takes data and time from it. That opens a period, which ends when one has begun
 *   2 find   the element is looked for. With a worker: it is running, and nothing is changed. Else it gets the field `latest`, which has workers ask. Where there
 *            is none its delivery may be under way without that field; so a mark has all workers ask the rows of what they take for a minute, as with a cancel (canceller.ts).
 *            The same where it is one that was delivered again: the first one may be anywhere. And as any of several copies may be running, those that workers hold are looked
 *            at after that: what is taken later asks
 *   3 write  the row is changed, if it has not begun since 1: the period is still that one. From then on the update is done, whatever becomes of the element
 *   4 place  the element goes where the row says, which is asked once more after that: somebody may have changed it meanwhile. Where there is none another copy goes there
 *
 * _A take at the same time:_ before 1 and 2 the job is found with its worker. After that the worker asks the row: before 3 it notes that it has begun, and 3 changes nothing; after 3
 * it gets the new data, or puts the job back for the rest of its time.
 * _A cancel at the same time:_ one that comes first finds the job where it is, as a job that is marked is not moved; on a transactional queue its row is cancelled.
 * _A settle at the same time:_ the row is gone, at 1 or at 3.
 * _A failed attempt, a promotion, an element that moves:_ all of it is done once more. What waits for its next attempt can be updated too.
 * _A relay or a rebuild with the row as it was:_ what they deliver says `again`, so workers ask the row.
 * _This process dies:_ before 3 nothing has changed, and workers ask a row more than they have to. After it the job is as the row says; where it was to run earlier, it runs when it was due before.
 * _Valkey loses its memory:_ the row is delivered as it is.
 * _Valkey comes back with an element from before 2,_ which has nobody ask: 3 has noted `is_changed`, and no attempt ends the job that has not asked its row (keyline.is_held), nor does a step of it, parks it,
 * has it tried again or buries it. Its element goes, and the row is noted as undelivered first, so that the relay brings the present one (`bringChanged` in worker/job-record.ts). Who dies before that leaves its
 * element to one who asks, as it counts an attempt then. A rebuild takes such an element for none, so that what is due earlier now is not late; what stands in a group's line is asked for by whoever takes it.
 * 1 alone notes nothing of that kind: where it finds the job running, that attempt has the data that counts.
 * _An attempt that has asked its row runs still,_ while Valkey comes back as it was before that attempt, and the job waits there: 3 notes the period in which it was, and the attempt has asked in an earlier one.
 * It ends nothing either, and the row is noted as undelivered, as the element that 2 has found may be overtaken. Where its own element was given back instead the attempts tell: 3 raises them.
 * _Two updates, and a job that begins between them:_ the second one's 1 opens another period, so that the first one's 3 finds that it is not in its own any more, and begins anew.
 * _An answer gets lost:_ the element or the row tells whether it was written. Where the job has ended meanwhile, nobody knows: OUTCOME_UNKNOWN.
 */
import type { Database } from "../../postgres/client/database.ts";
import type { ChangedWithin } from "../../postgres/job/changed-within.ts";
import type { JobRelay } from "../../postgres/job/job-relay.ts";
import type { UpdatedRows } from "../../postgres/job/updated-rows.ts";
import { KeylineError, toError } from "../../runtime/errors.ts";
import { randomTag } from "../../runtime/ids.ts";
import { isConnectionError } from "../../valkey/client/connection.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import type { JobOutlet } from "../add/job-outlet.ts";
import { asLatest, inOrder, withData, withPriority } from "../element-text.ts";
import { elementIn, readHead, withoutAttempts } from "../element.ts";
import { restsFromMs } from "../families/family-element.ts";
import type { Gatekeeper } from "../gates/gatekeeper.ts";
import { splitHistory } from "../worker/attempt-history.ts";
import { insistOn } from "./cancel-steps.ts";
import { ChangesWithin } from "./changes-within.ts";
import { findElement, findHeld, isHeld, replaceFound, type FoundElement } from "./job-finder.ts";
import type { PlainJobs } from "./plain-jobs.ts";
import type { RowJobs } from "./row-jobs.ts";
import { RowPlacer } from "./row-placer.ts";
import type { CheckedChanges, UpdateResult } from "./update-options.ts";

interface UpdatesParts {
  readonly jobs: PlainJobs | RowJobs;
  readonly gatekeeper: Gatekeeper;
  /** Only of a transactional queue. */
  readonly record:
    | {
        readonly database: Database;
        readonly rows: UpdatedRows;
        readonly within: ChangedWithin;
        readonly outlet: Pick<JobOutlet, "pushCommitted" | "flushed" | "expectChange" | "notes">;
        readonly relay: Pick<JobRelay, "expectRows">;
      }
    | undefined;
}

const readyWithinMs = 5_000;
/** A job that has moved so often is in the hands of workers. */
const tries = 10;
const lostAnswers = 3;

const beingRun: UpdateResult = { updated: false, state: "running" };

/** Changes jobs of one queue that have not begun. */
export class JobUpdates {
  readonly #store: QueueStore;
  readonly #parts: UpdatesParts;

  /** The same within transactions of callers; only of a transactional queue. */
  readonly within: ChangesWithin | undefined;

  constructor(store: QueueStore, parts: UpdatesParts) {
    this.#store = store;
    this.#parts = parts;
    const { record } = parts;
    this.within =
      record &&
      new ChangesWithin({
        rows: record.within,
        expectRows: () => record.relay.expectRows(),
        expectChange: (id) => record.outlet.expectChange(id),
        forgetNote: (id) => record.outlet.notes.forget(id),
        findAndMark: async (id, onMark) => {
          record.database.require();
          await this.#ready();
          return this.#insist(() => this.#findAndMark(id, onMark));
        },
        findHeld: (id) => this.#insist(() => findHeld(store, id)),
        markAll: (id) => this.#markAll(id),
        place: (row) => new RowPlacer(store, record).placeCommitted(row),
        stateOf,
      });
  }

  async update(id: string, changes: CheckedChanges): Promise<UpdateResult> {
    await this.#ready();
    const { record } = this.#parts;
    for (let tried = 0; tried < tries; tried++) {
      const result = record ? await this.#updateRow(id, changes, record) : await this.#updateElement(id, changes);
      if (result) return result;
    }
    return beingRun;
  }

  /** Undefined when it has moved meanwhile. */
  async #updateElement(id: string, changes: CheckedChanges): Promise<UpdateResult | undefined> {
    const found = await this.#insist(() => findElement(this.#store, id));
    if (!found) return this.#ended(id);
    if (isHeld(found)) return beingRun;
    if (found.due !== undefined && found.due > restsFromMs) return { updated: false, state: "parked" };
    const element = changed(inOrder(found.raw), changes);
    const { delayMs, runAt, priority } = changes;
    const due = delayMs !== undefined ? { delayMs } : runAt !== undefined ? { at: runAt } : undefined;
    const replacement = { old: found.raw, element, due, isMoved: priority !== undefined };
    try {
      const state = await replaceFound(this.#store, found, replacement);
      return state && { updated: state !== "cancelled", state };
    } catch (error) {
      if (!isConnectionError(error)) throw error;
      return this.#afterLostAnswer(id, element, toError(error));
    }
  }

  async #afterLostAnswer(id: string, element: string, error: Error): Promise<UpdateResult | undefined> {
    await this.#ready().catch(() => {
      throw unknown(id, "Valkey", error);
    });
    const found = await this.#insist(() => findElement(this.#store, id));
    const bare = (raw: string): string => withoutAttempts(splitHistory(raw).rest);
    if (found && bare(found.raw) === bare(element)) return { updated: true, state: stateOf(found) };
    if (!found || isHeld(found)) throw unknown(id, "Valkey", error);
    return undefined;
  }

  async #updateRow(id: string, changes: CheckedChanges, record: NonNullable<UpdatesParts["record"]>): Promise<UpdateResult | undefined> {
    const { database, rows } = record;
    const period = await insistOn(database, () => rows.hold(id));
    if (period === undefined) return this.#ended(id);
    const found = await this.#insist(() => this.#findAndMark(id));
    if (found === "moved") return undefined;
    if (found && isHeld(found)) return beingRun;
    const tag = randomTag(12);
    const attempts = (found && readHead(found.raw)?.attempts) ?? 0;
    let lost: Error | undefined;
    const row = await insistOn(database, async (isAgain) => {
      try {
        return await rows.write(id, changes, { period, attempts, tag, isAgain });
      } catch (error) {
        lost = toError(error);
        throw error;
      }
    });
    if (!row) {
      if (lost && !(await rows.read(id))) throw unknown(id, "PostgreSQL", lost);
      return undefined;
    }
    const { delayMs, runAt, priority } = changes;
    const isTimed = (delayMs ?? runAt) !== undefined;
    // Where one of these fails, the job is updated all the same: its worker asks the row.
    if (isTimed) await rows.followKey(id).catch(() => undefined);
    const isMoved = isTimed || priority !== undefined || !found;
    const state = isMoved ? await new RowPlacer(this.#store, record).place(row).catch(() => undefined) : undefined;
    return { updated: true, state: state ?? (row.delay > 0 ? "scheduled" : found ? stateOf(found) : "waiting") };
  }

  /** 2. Undefined where it is nowhere, and all workers ask the rows of what they take. */
  async #findAndMark(id: string, onMark?: () => void): Promise<FoundElement | "moved" | undefined> {
    let found = await findElement(this.#store, id);
    if (found && isHeld(found)) return found;
    if (!found || elementIn(found.raw)?.isAgain !== false) {
      await this.#markAll(id);
      onMark?.();
      found = await findElement(this.#store, id);
    }
    if (!found || isHeld(found)) return found;
    const element = asLatest(found.raw);
    const isMarked =
      element === found.raw || (await replaceFound(this.#store, found, { old: found.raw, element, due: undefined, isMoved: false }));
    if (!isMarked) return "moved";
    return (await findHeld(this.#store, id)) ?? { ...found, raw: element };
  }

  async #markAll(id: string): Promise<void> {
    await this.#store.cancels.mark({ kind: "row", tag: randomTag(10) }, [id]);
    await this.#parts.gatekeeper.known();
  }

  /** What is left of it; undefined where it is there. */
  async #ended(id: string): Promise<UpdateResult | undefined> {
    const job = await this.#insist(() => this.#parts.jobs.job(id));
    // Whether a worker has it is not known then.
    if (job?.isFromRow) await this.#ready();
    const state = job?.state ?? "unknown";
    return state === "waiting" || state === "scheduled" || state === "blocked" ? undefined : { updated: false, state };
  }

  #ready(): Promise<void> {
    return this.#store.connection.ensureReady(readyWithinMs);
  }

  async #insist<Result>(look: () => Promise<Result>): Promise<Result> {
    for (let tried = 1; ; tried++) {
      try {
        return await look();
      } catch (error) {
        if (!isConnectionError(error) || tried === lostAnswers) throw error;
        await this.#ready().catch(() => {
          throw error;
        });
      }
    }
  }
}

function changed(raw: string, { dataJson, priority }: CheckedChanges): string {
  const element = dataJson === undefined ? raw : withData(raw, dataJson);
  return priority === undefined ? element : withPriority(element, priority);
}

function stateOf({ place, due }: FoundElement): UpdateResult["state"] {
  if (place.startsWith("held:")) return "running";
  if (place.startsWith("line")) return "blocked";
  return place === "scheduled" && due !== undefined ? "scheduled" : "waiting";
}

function unknown(id: string, store: string, cause: Error): KeylineError {
  const what = `The connection to ${store} broke while job ${id} was updated, and it has begun or ended since: it ran with what was new, or with what was there before`;
  return new KeylineError("OUTCOME_UNKNOWN", what, { cause });
}
