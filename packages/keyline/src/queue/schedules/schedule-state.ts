import { KeylineError } from "../../runtime/errors.ts";
import { randomTag } from "../../runtime/ids.ts";
import { describeTime } from "./schedule-spec.ts";
import { ticksOf, type DueTicks, type Missed, type ScheduleSpec } from "./schedule-times.ts";

/** Which tick of which schedule a job is. */
export interface Tick {
  readonly name: string;
  /** Its time by the schedule, in milliseconds since 1970. It may have been made later. */
  readonly at: number;
}

/** A schedule as it is kept. Together `revision` and `nextAt` are another pair after every change: whoever writes says which pair it has read. */
export interface ScheduleState {
  readonly name: string;
  /** Another one with each declaration that changed something. */
  readonly revision: string;
  /** Undefined when its last tick was made. */
  readonly nextAt: number | undefined;
  /** It makes no ticks: the one at `nextAt` waits. */
  readonly paused: boolean;
  readonly lastAt: number | undefined;
  /** How many were made. */
  readonly ticks: number;
  /** When it was declared, in the server's time. */
  readonly since: number;
  readonly spec: ScheduleSpec;
  readonly dataJson: string;
}

/** A schedule of a queue. Times are milliseconds since 1970. */
export interface Schedule<Data> {
  readonly name: string;
  readonly cron: string | undefined;
  readonly timezone: string | undefined;
  readonly every: number | undefined;
  readonly data: Data;
  readonly startAt: number | undefined;
  readonly endAt: number | undefined;
  readonly limit: number | undefined;
  readonly missed: Missed;
  /** When its next tick is due; undefined when its last was made. Of one that is paused the tick that waits, which may be past. */
  readonly nextAt: number | undefined;
  /** It makes no ticks until it is resumed. */
  readonly paused: boolean;
  /** The time of its latest tick. */
  readonly lastAt: number | undefined;
  /** How many ticks were made. */
  readonly ticks: number;
}

/** What a declaration at `now` makes of a schedule; the state itself when it changes nothing. Throws INVALID_OPTION when no tick is in reach. */
export function declared(
  before: ScheduleState | undefined,
  { name, spec, dataJson, now }: { readonly name: string; readonly spec: ScheduleSpec; readonly dataJson: string; readonly now: number },
): ScheduleState {
  if (!before || !haveSameTimes(before.spec, spec, now)) {
    // Whoever has paused it resumes it: no start of a process does.
    const isPaused = before?.paused ?? false;
    const begun = { name, revision: randomTag(12), paused: isPaused, lastAt: undefined, ticks: 0, since: now, spec, dataJson };
    return { ...begun, nextAt: firstTick(begun, undefined, now) };
  }
  if (before.dataJson === dataJson && JSON.stringify(before.spec) === JSON.stringify(spec)) return before;
  const changed = { ...before, revision: randomTag(12), spec, dataJson };
  return { ...changed, nextAt: firstTick(changed, before.nextAt, now) };
}

/** The state as it is paused, or not any more; the state itself where it is so already. */
export function withPause(state: ScheduleState, paused: boolean): ScheduleState {
  return state.paused === paused ? state : { ...state, revision: randomTag(12), paused };
}

/** When a tick is to be made; undefined when none is. */
export function dueAt({ nextAt, paused }: ScheduleState): number | undefined {
  return paused ? undefined : nextAt;
}

/** The state once these ticks are made. */
export function ticked(state: ScheduleState, { ats, nextAt }: DueTicks): ScheduleState {
  return { ...state, nextAt, lastAt: ats.at(-1) ?? state.lastAt, ticks: state.ticks + ats.length };
}

/** The id of a tick's job. The same for the same tick, whoever makes it. */
export function tickId({ name, at }: Tick): string {
  return `${name}:${at}`;
}

/** Its times are what they were: what is due or to come of it stays so. A start that has passed says nothing of when a cron ticks. */
function haveSameTimes(one: ScheduleSpec, other: ScheduleSpec, now: number): boolean {
  const isSameStart = one.startAt === other.startAt || (one.cron !== undefined && hasBegun(one, now) && hasBegun(other, now));
  return isSameStart && one.cron === other.cron && one.timezone === other.timezone && one.every === other.every;
}

function hasBegun({ startAt = 0 }: ScheduleSpec, now: number): boolean {
  return startAt <= now;
}

/** The tick that waits from now on: the one that waited before, if there is one, else the next. */
function firstTick(
  { spec, since, ticks }: Pick<ScheduleState, "spec" | "since" | "ticks">,
  waiting: number | undefined,
  now: number,
): number {
  if (spec.limit !== undefined && ticks >= spec.limit) {
    throw new KeylineError("INVALID_OPTION", `limit must be more than the ${ticks} ticks that were made already, not ${spec.limit}`);
  }
  const at = waiting ?? ticksOf({ ...spec, endAt: undefined }, since)(now);
  if (at === undefined)
    throw new KeylineError("INVALID_OPTION", `cron never comes: ${JSON.stringify(spec.cron)} names no day that there is`);
  if (spec.endAt !== undefined && at > spec.endAt) {
    const times = `${describeTime(at)}, later than ${describeTime(spec.endAt)}`;
    throw new KeylineError("INVALID_OPTION", `endAt must leave time for a tick: the next one would be at ${times}`);
  }
  return at;
}
