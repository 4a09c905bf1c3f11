import type { Delivery } from "../../postgres/job/delivery.ts";
import type { JobRow } from "../../postgres/job/job-row.ts";
import { performance } from "../../runtime/clock.ts";
import type { PlacedElement } from "../../valkey/queue/adds.ts";
import { asLatest } from "../element-text.ts";
import { encodeElement } from "../element.ts";
import { placedElement, type Placement } from "./placement.ts";

/** A job whose row is committed, on its way to Valkey. */
export interface Committed {
  readonly id: string;
  readonly element: string;
  /** How often it was parked or woken, where it ever was. */
  readonly parks?: number;
  /** Then its element of before, which may be on the schedule. */
  readonly replaces?: string;
  /** The tag of the redrive that has put it back, with which its delivery is noted. */
  readonly redrive?: string;
  /** Then its delivery is noted together with that of others. */
  within?: Delivery | undefined;
  /** Where it goes, when that is not the tail of the queue; asked for when it is sent, as its time comes nearer meanwhile. */
  readonly place?: () => PlacedElement;
}

/** A job that was just added, with a place of its own. */
export function committedPlaced(job: {
  readonly id: string;
  readonly dataJson: string;
  readonly at: number;
  readonly maxAttempts: number | undefined;
  readonly placement: Placement;
  readonly order: string | undefined;
  readonly keepMs: number | undefined;
  readonly isChild?: boolean | undefined;
  readonly trace?: string | undefined;
}): Committed {
  // The record knows which keys are held.
  const { once, ...placement } = job.placement;
  const { element, options } = placedElement({ ...job, placement, isOwnId: false, isLatest: once?.keep === "latest" });
  if (options.length === 0 && placement.priority === undefined) return { id: job.id, element };
  const { delayMs } = placement;
  if (delayMs === undefined) return { id: job.id, element, place: () => ({ element, options }) };
  const insertedAt = performance.now();
  const place = (): PlacedElement => {
    const left = Math.max(0, Math.round(delayMs - (performance.now() - insertedAt)));
    return { element, options: options.map((option, index) => (options[index - 1] === "delay" ? left : option)) };
  };
  return { id: job.id, element, place };
}

/** A job that is there, and is due earlier than its element on Valkey says: another copy goes there. */
export function committedSooner({
  id,
  dataJson,
  at,
  maxAttempts,
  priority,
  delayMs,
  keepMs,
  trace,
}: {
  readonly id: string;
  readonly dataJson: string;
  readonly at: number;
  readonly maxAttempts: number | undefined;
  readonly priority: "high" | "low" | undefined;
  readonly delayMs: number | undefined;
  readonly keepMs: number | undefined;
  readonly trace: string | undefined;
}): Committed {
  const placed = placedElement({
    id,
    dataJson,
    at,
    maxAttempts,
    isOwnId: false,
    isAgain: true,
    isLatest: true,
    keepMs,
    trace,
    placement: { delayMs, priority },
  });
  return { id, element: placed.element, place: () => placed };
}

/** A row that waits again. */
export function committedRow(row: JobRow, { isAgain = false, isRedriven = false } = {}): Committed {
  // A row that somebody inserted by hand may have any id.
  const id = JSON.stringify(row.id).slice(1, -1);
  const { data: dataJson, at, attempts, priority, group_name: group, delay, due, order } = row;
  const schedule = row.schedule ?? undefined;
  const maxAttempts = row.max_attempts ?? undefined;
  // Who takes what was redriven asks its row only where the element says so, unlike what was delivered again.
  const isLatest = isRedriven ? row.is_latest !== null : (row.is_latest ?? false);
  const keepMs = row.keep ?? undefined;
  const parks = row.parks ?? 0;
  const isChild = row.is_child ?? false;
  const trace = row.trace ?? undefined;
  const job = { id, dataJson, at, attempts, maxAttempts, isAgain: isAgain || parks > 0, isLatest, schedule, keepMs, parks, isChild, trace };
  // Of one that is due later the script says it that moves it to the queue.
  const isReadyNow = delay === 0 && (isRedriven || attempts > 0 || parks > 0);
  const readyAt = isReadyNow ? Date.now() : delay === 0 ? (due ?? undefined) : undefined;
  if (delay === 0 && priority === null && group === null && parks === 0) return { id: row.id, element: encodeElement({ ...job, readyAt }) };
  const placement: Placement = { delayMs: delay === 0 ? undefined : delay, priority: priority ?? undefined, group: group ?? undefined };
  const { element, options } = placedElement({ ...job, readyAt, isOwnId: false, placement, order });
  if (parks === 0) return { id: row.id, element, place: () => ({ element, options }) };
  // Its element of before may be on the schedule.
  const replaces = encodeElement({ ...job, priority: placement.priority, group: placement.group, parks: parks - 1 });
  return { id: row.id, element, parks, replaces, place: () => ({ element, options: [...options, "replaces", replaces] }) };
}

/** The same where whoever takes it is to ask its row. */
export function committedLatest({ place, ...job }: Committed): Committed {
  const marked = { ...job, element: asLatest(job.element) };
  if (!place) return marked;
  const markedPlace = (): PlacedElement => {
    const placed = place();
    return { ...placed, element: asLatest(placed.element) };
  };
  return { ...marked, place: markedPlace };
}
