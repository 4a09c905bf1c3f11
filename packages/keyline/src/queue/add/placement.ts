import { KeylineError } from "../../runtime/errors.ts";
import { checkKey } from "../../runtime/names.ts";
import type { PlacedElement } from "../../valkey/queue/adds.ts";
import { longestWaitMs } from "../../work/outcome.ts";
import { encodeElement } from "../element.ts";
import { onceOf, onceOptions, type Once } from "./once.ts";
import type { AddOptions } from "../options.ts";

/** Where a job goes that does not simply go to the tail of the queue. */
export interface Placement {
  /** Milliseconds from now on, by the clock of the store that it comes to first. */
  readonly delayMs?: number | undefined;
  /** Milliseconds since 1970. */
  readonly runAt?: number | undefined;
  readonly priority?: "high" | "low" | undefined;
  readonly group?: string | undefined;
  readonly once?: Once | undefined;
}

const priorities = new Set(["high", "normal", "low"]);

/** Undefined for a job that goes to the tail, as nearly all do. Throws INVALID_OPTION. */
export function placementOf({ delay, runAt, priority, group, deduplicate }: AddOptions): Placement | undefined {
  if (delay === undefined && runAt === undefined && priority === undefined && group === undefined && deduplicate === undefined)
    return undefined;
  if (delay !== undefined && runAt !== undefined) {
    throw new KeylineError("INVALID_OPTION", "delay and runAt both say when a job is to run: give one of them");
  }
  if (priority !== undefined && !priorities.has(priority)) {
    throw new KeylineError("INVALID_OPTION", `priority must be "high", "normal" or "low", not ${JSON.stringify(priority)}`);
  }
  const once = deduplicate === undefined ? undefined : onceOf(deduplicate);
  if (once?.keep === "latest" && (delay ?? runAt) !== undefined) {
    throw new KeylineError("INVALID_OPTION", 'deduplicate.keep "latest" does not go with delay or runAt: its window is its delay');
  }
  const placement: Placement = {
    delayMs: once?.keep === "latest" ? once.windowMs : delay === undefined ? undefined : checkDelay(delay),
    runAt: runAt === undefined ? undefined : checkTime(runAt),
    priority: priority === "normal" ? undefined : priority,
    group: group === undefined ? undefined : checkKey("group", group),
    once,
  };
  return Object.values(placement).every((value) => value === undefined) ? undefined : placement;
}

/** No delay is none. */
function checkDelay(delay: number): number | undefined {
  if (typeof delay === "number" && delay >= 0 && delay <= longestWaitMs) return Math.ceil(delay) || undefined;
  throw new KeylineError("INVALID_OPTION", `delay must be milliseconds from 0 to ${longestWaitMs} (ten years), not ${String(delay)}`);
}

function checkTime(time: Date | number): number {
  const ms = time instanceof Date ? time.getTime() : time;
  if (typeof ms === "number" && ms >= 0 && ms <= Date.now() + longestWaitMs) return Math.ceil(ms);
  throw new KeylineError(
    "INVALID_OPTION",
    `runAt must be a Date or milliseconds since 1970, at most ten years from now, not ${String(time)}`,
  );
}

/** The job's element, and where the store is to put it. */
export function placedElement(job: {
  readonly id: string;
  readonly isOwnId: boolean;
  readonly dataJson: string;
  readonly at: number;
  readonly maxAttempts: number | undefined;
  readonly placement: Placement | undefined;
  readonly attempts?: number;
  readonly isAgain?: boolean;
  readonly isLatest?: boolean;
  readonly parks?: number;
  readonly readyAt?: number | undefined;
  readonly schedule?: string | undefined;
  readonly keepMs?: number | undefined;
  readonly isChild?: boolean | undefined;
  readonly isParent?: boolean | undefined;
  readonly trace?: string | undefined;
  /** Its place among all jobs, where that is known. */
  readonly order?: string | undefined;
}): PlacedElement {
  const { delayMs, runAt, priority, group, once } = job.placement ?? {};
  const options: (string | number)[] = [];
  if (job.isOwnId) options.push("id", job.id);
  if (delayMs !== undefined) options.push("delay", delayMs);
  if (runAt !== undefined) options.push("at", runAt);
  if (group !== undefined) options.push("group", group);
  if (group !== undefined && job.order !== undefined) options.push("order", job.order);
  if (once) options.push(...onceOptions(once));
  const key = once?.windowMs === undefined ? once?.key : undefined;
  const debounce = once?.keep === "latest" ? once.key : undefined;
  return { element: encodeElement({ ...job, hasOwnId: job.isOwnId, priority, group, key, debounce }), options };
}
