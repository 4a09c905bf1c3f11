import { Cron } from "croner";

/** What becomes of the ticks that nobody made in time: none is made, one for the latest of them, or each. */
export type Missed = "skip" | "once" | "all";

/** What a schedule's times and number of ticks depend on, as it was declared. Its JSON is the same for what means the same. */
export interface ScheduleSpec {
  readonly cron?: string | undefined;
  readonly timezone?: string | undefined;
  readonly every?: number | undefined;
  readonly startAt?: number | undefined;
  readonly endAt?: number | undefined;
  readonly limit?: number | undefined;
  readonly missed: Missed;
}

/** The first tick later than `after`, undefined when none is to come. */
export type NextTick = (after: number) => number | undefined;

/** What there is to do of a schedule whose time has come. */
export interface DueTicks {
  /** The times of the ticks that are to be made, in order. */
  readonly ats: readonly number[];
  /** The tick behind what was due; undefined when it was the last. */
  readonly nextAt: number | undefined;
  /** Ticks were missed, and not all of those that were due are made. */
  readonly hasMissed: boolean;
}

/**
 * Throws what croner says of a pattern that it does not know. When clocks change, hours without a wildcard and a step mean times of the day: one that is left out comes
 * at the end of the gap, and one that comes twice counts once. All others go by what the clock shows.
 */
export function parseCron(pattern: string, timezone: string): Cron {
  return new Cron(pattern, { timezone, mode: "5-or-6-parts", fixedTimeRule: "no-wildcard", paused: true });
}

/** The ticks of a schedule that was declared at `since`. They depend on nothing else: not on the present, and not on who asks. */
export function ticksOf({ cron, timezone, every = 0, startAt, endAt = Infinity }: ScheduleSpec, since: number): NextTick {
  if (cron === undefined && !(every > 0)) throw new Error("it has neither cron nor every");
  const next = cron === undefined ? ticksOfEvery(every, startAt ?? since) : ticksOfCron(cron, timezone ?? "UTC", startAt);
  return (after) => {
    const at = next(after);
    return at === undefined || at > endAt ? undefined : at;
  };
}

/** By multiplication, so that nothing adds up: what was late does not make the next one late. */
function ticksOfEvery(every: number, first: number): NextTick {
  return (after) => (after < first ? first : first + (Math.floor((after - first) / every) + 1) * every);
}

function ticksOfCron(pattern: string, timezone: string, startAt = -Infinity): NextTick {
  const cron = parseCron(pattern, timezone);
  return (after) => cron.nextRun(new Date(Math.max(after, startAt - 1)))?.getTime();
}

/**
 * What is to be made of a schedule at `now`, up to `room` ticks. Where the tick that waits is late by no more than `graceMs` each that is due is made.
 * Where it is later nobody was there to make it: then `missed` says what becomes of all that are due.
 */
export function dueTicks(
  next: NextTick,
  { missed, endAt = Infinity, limit = Infinity }: ScheduleSpec,
  { first, made, now, graceMs, room }: { readonly first: number; readonly made: number } & Moment,
): DueTicks {
  const until = Math.min(now, endAt);
  const left = Math.min(room, limit - made);
  if (missed !== "all" && now - first > graceMs) {
    const last = latestTick(next, first, until);
    const ats = missed === "once" ? [last] : [];
    return { ats, nextAt: made + ats.length < limit ? next(last) : undefined, hasMissed: last > first || missed === "skip" };
  }
  const ats: number[] = [];
  let at: number | undefined = first;
  while (at !== undefined && at <= until && ats.length < left) {
    ats.push(at);
    at = next(at);
  }
  return { ats, nextAt: made + ats.length < limit ? at : undefined, hasMissed: false };
}

/** The moment for which it is asked, in the time of the server that has the schedule. */
interface Moment {
  readonly now: number;
  readonly graceMs: number;
  /** How many ticks fit into one write. */
  readonly room: number;
}

/** The last tick from `first` to `until`, by halving the time between: there may be millions. */
function latestTick(next: NextTick, first: number, until: number): number {
  let last = first;
  let end = until;
  while (end > last) {
    const middle = last + Math.floor((end - last) / 2);
    const at = next(middle);
    if (at !== undefined && at <= until) last = at;
    else end = middle;
  }
  return last;
}
