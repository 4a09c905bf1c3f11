import { isOutage } from "../../postgres/client/failures.ts";
import type { Database } from "../../postgres/client/database.ts";
import type { CancelledRows, RowWas } from "../../postgres/job/cancelled-rows.ts";
import { performance } from "../../runtime/clock.ts";
import { KeylineError } from "../../runtime/errors.ts";
import { randomTag } from "../../runtime/ids.ts";
import { isConnectionError } from "../../valkey/client/connection.ts";
import { walkBegin, type CancelCall, type JobFilterValues } from "../../valkey/queue/cancels.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import type { Gatekeeper } from "../gates/gatekeeper.ts";
import { everywhere, walk, type WalkPages, type WalkRange } from "./job-walk.ts";
import { findNear } from "./near-id.ts";

/** What a job was when it was cancelled. "dead": it is a dead letter, and stays one. "unknown": there is none, or it has ended. */
export type CancelResult = "waiting" | "scheduled" | "running" | "dead" | "unknown";

export type Was = Map<string, CancelResult>;

export interface CancelParts {
  readonly gatekeeper: Gatekeeper;
  /** Only of a transactional queue. */
  readonly record: { readonly database: Database; readonly rows: CancelledRows } | undefined;
  /** These were cancelled, or some of them: what that means for others is seen to. */
  readonly onCancelled: (ids: readonly string[]) => void;
  /** So many were cancelled. */
  readonly count: (cancelled: number) => void;
}

const readyWithinMs = 5_000;
const page = 500;
const tries = 3;
const aside = 7;
/** By so much a statement may have been quicker than the next one. */
const clocksApartMs = 250;
/** More than that are told by their marks. */
const mostNamed = 200;

/** What is looked for, where, and what is done with what was found. */
interface Search {
  readonly call: CancelCall;
  readonly filter: JobFilterValues;
  readonly range: WalkRange;
  /** What was found is put here. */
  readonly was: Was;
  readonly enough: () => boolean;
  readonly note?: () => Promise<void>;
}

/** The steps of a call that cancels jobs: see canceller.ts. */
export class CancelSteps {
  readonly store: QueueStore;
  readonly record: CancelParts["record"];
  readonly onCancelled: CancelParts["onCancelled"];
  readonly count: CancelParts["count"];
  readonly #gatekeeper: Gatekeeper;

  constructor(store: QueueStore, { gatekeeper, record, onCancelled, count }: CancelParts) {
    this.store = store;
    this.record = record;
    this.onCancelled = onCancelled;
    this.count = count;
    this.#gatekeeper = gatekeeper;
  }

  newCall(): CancelCall {
    return { kind: this.record ? "row" : "plain", tag: randomTag(10) };
  }

  async ready(): Promise<void> {
    this.record?.database.require();
    return this.store.connection.ensureReady(readyWithinMs);
  }

  /** 1 */
  async mark(call: CancelCall, ids: readonly string[]): Promise<void> {
    await this.store.cancels.mark(call, ids);
  }

  /** 2. What each was. Where an answer gets lost the row may be gone before it is asked for again: a worker has found it cancelled. */
  cancelRows({ database, rows }: NonNullable<CancelParts["record"]>, ids: readonly string[]): Promise<Map<string, RowWas>> {
    const began = performance.now();
    return insistOn(database, async (isAgain) => {
      const found = await rows.cancel(ids);
      if (!isAgain) return found;
      // That it waited is the likeliest, where it is not found elsewhere.
      for (const id of await rows.cancelledWithin(ids, performance.now() - began + clocksApartMs)) found.set(id, "waiting");
      for (const [id, one] of found) if (one === "cancelled") found.set(id, "waiting");
      return found;
    });
  }

  /** 3 */
  known(): Promise<void> {
    return this.#gatekeeper.known();
  }

  /** 4. Takes those that fit out of where they wait, and marks those that a worker holds. */
  async takeOut({ call, filter, range, was, enough, note }: Search): Promise<void> {
    const { cancels } = this.store;
    const wait: WalkPages["wait"] = async (place, at) => {
      const { ids, next } = await cancels.cancelPage(place, at, { call, filter });
      for (const id of ids) was.set(id, place === "scheduled" ? "scheduled" : "waiting");
      await note?.();
      return enough() ? "enough" : next;
    };
    const near = filter.length === 2 && filter[0] === "id" ? await findNear(this.store, String(filter[1])) : undefined;
    // Others may have been added or taken out in front of it meanwhile.
    const from = near && String(Math.max(0, near.index - aside));
    if (near && from && (await wait(near.place, { ...walkBegin, from, shifts: Number.MAX_SAFE_INTEGER })) === "enough") return;
    await walk(this.store, range, {
      wait,
      held: async (worker, from) => {
        const { ids, next } = await cancels.cancelHeld(worker, from, { call, filter });
        for (const id of ids) was.set(id, "running");
        await note?.();
        return enough() ? "enough" : next;
      },
    });
  }

  /** 1 and 3 to 5 of jobs whose rows are cancelled; where Valkey goes away meanwhile they are cancelled all the same. Returns what each was. */
  async followRows(call: CancelCall, rows: ReadonlyMap<string, RowWas>): Promise<Was> {
    const ids = [...rows.keys()];
    this.onCancelled(ids);
    const found: Was = new Map();
    try {
      await this.insist(async () => {
        await this.mark(call, ids);
        await this.known();
        const filter = ids.length > mostNamed ? ["mark", call.tag] : filterOf(ids);
        await this.takeOut({ call, filter, range: everywhere, enough: () => found.size === ids.length, was: found });
        const missing = ids.filter((id) => !found.has(id));
        const ends = await this.store.cancels.end(call, missing);
        missing.forEach((id, index) => ends[index] && found.set(id, "running"));
      });
    } catch (error) {
      if (!isConnectionError(error)) throw error;
      const what = "The jobs are cancelled and no settle of them commits, but Valkey went away before workers could be told";
      throw new KeylineError("VALKEY_UNAVAILABLE", `${what}: what runs is not aborted unless the same call is made again`, {
        cause: error,
      });
    }
    const was: Was = new Map();
    for (const [id, row] of rows) {
      const one = found.get(id) ?? (row === "cancelled" ? undefined : row);
      if (one) was.set(id, one);
    }
    await this.#forgetRows(ids.filter((id) => was.get(id) !== "running"));
    return was;
  }

  /** An answer of Valkey's that got lost is answered by all of it once more. */
  async insist<Result>(work: (isAgain: boolean) => Promise<Result>): Promise<Result> {
    for (let tried = 1; ; tried++) {
      try {
        return await work(tried > 1);
      } catch (error) {
        if (!isConnectionError(error) || tried === tries) throw error;
        // Some of it may be done, whatever becomes of the next try.
        await this.ready().catch(() => {
          throw error;
        });
      }
    }
  }

  // The rows of jobs that run go when they have ended. What is left over now goes later: cancelled-row-keeper.ts.
  async #forgetRows(ids: readonly string[]): Promise<void> {
    for (let first = 0; first < ids.length; first += page) {
      await this.record?.rows.forget(ids.slice(first, first + page)).catch(() => undefined);
    }
  }
}

/** An answer of PostgreSQL's that got lost is asked for once more: what was cancelled by the statement is found cancelled then. */
export async function insistOn<Result>(database: Database, work: (isAgain: boolean) => Promise<Result>): Promise<Result> {
  for (let tried = 1; ; tried++) {
    try {
      return await work(tried > 1);
    } catch (error) {
      if (!isOutage(error) || tried === tries) throw error;
      await database.whenAvailable(AbortSignal.timeout(readyWithinMs));
    }
  }
}

export function filterOf(ids: readonly string[]): JobFilterValues {
  return ids.flatMap((id) => ["id", id]);
}
