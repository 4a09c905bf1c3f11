import type { JobRow } from "../postgres/job/job-table.ts";
import { performance } from "../runtime/clock.ts";
import type { PlacedElement } from "../valkey/queue/adds.ts";
import { encodeElement } from "./element.ts";
import { placedElement, type Placement } from "./placement.ts";

/** A job whose row is committed, on its way to Valkey. */
export interface Committed {
  readonly id: string;
  readonly element: string;
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
}): Committed {
  const { element, options } = placedElement({ ...job, isOwnId: false, order: job.order });
  const { delayMs } = job.placement;
  if (delayMs === undefined) return { id: job.id, element, place: () => ({ element, options }) };
  const insertedAt = performance.now();
  const place = (): PlacedElement => {
    const left = Math.max(0, Math.round(delayMs - (performance.now() - insertedAt)));
    return { element, options: options.map((option, index) => (options[index - 1] === "delay" ? left : option)) };
  };
  return { id: job.id, element, place };
}

/** A row that waits again. */
export function committedRow(row: JobRow, { isAgain = false } = {}): Committed {
  // A row that somebody inserted by hand may have any id.
  const id = JSON.stringify(row.id).slice(1, -1);
  const { data: dataJson, at, attempts, priority, group_name: group, delay, order } = row;
  const schedule = row.schedule ?? undefined;
  const maxAttempts = row.max_attempts ?? undefined;
  if (delay === 0 && priority === null && group === null) {
    return { id: row.id, element: encodeElement({ id, dataJson, at, attempts, maxAttempts, isAgain, schedule }) };
  }
  const placement: Placement = { delayMs: delay === 0 ? undefined : delay, priority: priority ?? undefined, group: group ?? undefined };
  const placed = placedElement({ id, dataJson, at, attempts, maxAttempts, isAgain, isOwnId: false, placement, order, schedule });
  return { id: row.id, element: placed.element, place: () => placed };
}
