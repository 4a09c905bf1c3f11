import type { OnceJob, OnceRow } from "../../postgres/job/once-rows.ts";
import type { NewJob } from "../../postgres/job/job-table.ts";
import type { PlacedJob } from "../../postgres/job/placed-rows.ts";
import type { AddRequest } from "./add-request.ts";
import { committedPlaced, committedSooner, type Committed } from "./committed.ts";
import { encodeElement } from "../element.ts";
import type { AddResult } from "../options.ts";

/** What came of a statement that adds jobs. */
export interface Inserted {
  /** What each call is told, in the order of the requests. */
  readonly answers: readonly AddResult[];
  /** Those that were added, on their way to Valkey. */
  readonly committed: Committed[];
}

/** The ids that were added, and the places of those rows that have one of their own. */
export type Orders = Map<string, string | undefined>;

/** `orders` is undefined where all were added. */
export function insertedRows(requests: readonly AddRequest[], orders: Orders | undefined): Inserted {
  const at = Date.now();
  const answers: AddResult[] = [];
  const committed: Committed[] = [];
  for (const request of requests) {
    const { id } = request;
    const order = orders?.get(id);
    // The same id twice in one statement: the first is added, and the second is the one that was known.
    const added = orders?.delete(id) ?? true;
    answers.push({ id, added });
    if (added) committed.push(toCommitted(request, at, order));
  }
  return { answers, committed };
}

/** The same where other jobs may be there instead of some. */
export function insertedOnce(requests: readonly AddRequest[], rows: readonly OnceRow[]): Inserted {
  const at = Date.now();
  const answers: AddResult[] = [];
  const committed: Committed[] = [];
  requests.forEach((request, index) => {
    const row = rows[index];
    answers.push({ id: row?.there ?? request.id, added: row?.added ?? false });
    if (row?.added) committed.push(toCommitted(request, at, row.order));
    else if (row?.sooner) committed.push(toSooner(request, row.there, row.sooner));
  });
  return { answers, committed };
}

export function ordersOf(rows: readonly { readonly id: string; readonly order: string }[]): Orders {
  return new Map(rows.map(({ id, order }) => [id, order]));
}

export function toNewJob({ id, dataJson, maxAttempts }: AddRequest): NewJob {
  return { id, dataJson, maxAttempts };
}

export function toPlacedJob({ id, dataJson, maxAttempts, keepMs, placement, trace }: AddRequest): PlacedJob {
  return { id, dataJson, maxAttempts, keepMs, ...placement, trace };
}

export function toOnceJob({ id, isOwnId, dataJson, maxAttempts, keepMs, placement, trace }: AddRequest): OnceJob {
  return { id, isOwnId, dataJson, maxAttempts, keepMs, ...placement, trace };
}

function toSooner(
  { dataJson, placement, trace }: AddRequest,
  id: string,
  { at, maxAttempts, priority, keep }: NonNullable<OnceRow["sooner"]>,
): Committed {
  const rules = { maxAttempts: maxAttempts ?? undefined, priority: priority ?? undefined, keepMs: keep ?? undefined };
  return committedSooner({ id, dataJson, at, ...rules, delayMs: placement?.delayMs, trace });
}

/** The element of a job whose row was written. */
export function toCommitted(
  { id, dataJson, maxAttempts, keepMs, placement, isChild, trace }: AddRequest,
  at: number,
  order: string | undefined,
): Committed {
  if (placement) return committedPlaced({ id, dataJson, at, maxAttempts, placement, order, keepMs, isChild, trace });
  return { id, element: encodeElement({ id, dataJson, at, maxAttempts, keepMs, isChild, trace }), within: undefined };
}
