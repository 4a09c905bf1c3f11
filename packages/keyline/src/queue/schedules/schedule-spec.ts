import { KeylineError, toError } from "../../runtime/errors.ts";
import { checkName } from "../../runtime/names.ts";
import { checkInteger, checkOptionNames } from "../../runtime/options.ts";
import { parseCron, type Missed, type ScheduleSpec } from "./schedule-times.ts";

interface CommonScheduleOptions<Input> {
  /** The data of each tick's job. */
  readonly data: Input;
  /** No tick before it; `every` counts from it. A time in the past brings no ticks of the past. */
  readonly startAt?: Date | number;
  /** No tick after it. */
  readonly endAt?: Date | number;
  /** How many ticks are made in all. */
  readonly limit?: number;
  /** What becomes of the ticks that nobody made in time. Default `once`. */
  readonly missed?: Missed;
}

interface CronOptions {
  /** Five fields (minute, hour, day of the month, month, day of the week), or six with the second in front. */
  readonly cron: string;
  /** The time zone whose clock `cron` means, as in `Europe/Berlin`. Default `UTC`. */
  readonly timezone?: string;
  readonly every?: never;
}

interface EveryOptions {
  /** Milliseconds from one tick to the next, from 100. They are counted from `startAt`, else from the declaration. */
  readonly every: number;
  readonly cron?: never;
  readonly timezone?: never;
}

/** When a schedule adds a job, and which. Times are a Date or milliseconds since 1970. */
export type ScheduleOptions<Input> = CommonScheduleOptions<Input> & (CronOptions | EveryOptions);

// With the time of the tick behind it a name must still be an id.
const longestName = 150;
const longestEveryMs = 366 * 86_400_000;
/** The end of the year 9999. */
const latest = 253_402_300_799_999;

const optionNames = new Set<string>([
  "cron",
  "every",
  "timezone",
  "data",
  "startAt",
  "endAt",
  "limit",
  "missed",
] satisfies (keyof ScheduleOptions<unknown>)[]);

/** The name itself, or INVALID_NAME. */
export function checkScheduleName(name: string): string {
  checkName("schedule", name);
  if (name.length <= longestName) return name;
  throw new KeylineError("INVALID_NAME", `A schedule's name has up to ${longestName} characters, not ${name.length}: ${name}`);
}

/** Throws INVALID_OPTION. */
export function toScheduleSpec(options: ScheduleOptions<unknown>): ScheduleSpec {
  if (typeof options !== "object" || options === null) {
    throw invalid("schedule", `needs options, { cron, data } or { every, data }, not ${String(options)}`);
  }
  checkOptionNames("schedule", options, optionNames);
  const { cron, every, limit, missed = "once" } = options;
  if ((cron === undefined) === (every === undefined)) throw invalid("schedule", "needs cron or every, one of the two");
  const startAt = toTime("startAt", options.startAt);
  const endAt = toTime("endAt", options.endAt);
  if (startAt !== undefined && endAt !== undefined && endAt <= startAt) {
    throw invalid("endAt", `must be later than startAt: ${describeTime(endAt)} is not later than ${describeTime(startAt)}`);
  }
  if (limit !== undefined) checkInteger("limit", limit, { min: 1 });
  if (!["skip", "once", "all"].includes(missed)) throw invalid("missed", `must be "skip", "once" or "all", not ${JSON.stringify(missed)}`);
  const common = { startAt, endAt, limit, missed };
  if (every === undefined) return { ...toCron(cron, options.timezone), ...common };
  if (options.timezone !== undefined) throw invalid("timezone", "goes with cron; every means the same in all time zones");
  return { every: checkInteger("every", every, { min: 100, max: longestEveryMs }), ...common };
}

function toCron(cron: string, timezone = "UTC"): Pick<ScheduleSpec, "cron" | "timezone"> {
  checkTimezone(timezone);
  if (typeof cron !== "string" || cron.length > 500) throw invalid("cron", "must be a text of up to 500 characters");
  const fields = cron.trim().split(/\s+/);
  if (fields.length !== 5 && fields.length !== 6) {
    throw invalid("cron", `must have 5 fields, or 6 with seconds in front, as in "0 3 * * *", not ${JSON.stringify(cron)}`);
  }
  const pattern = fields.join(" ");
  try {
    parseCron(pattern, timezone);
  } catch (error) {
    throw invalid("cron", `is not valid: ${JSON.stringify(cron)} (${toError(error).message})`);
  }
  return { cron: pattern, timezone };
}

function checkTimezone(timezone: string): void {
  if (typeof timezone === "string" && isTimezone(timezone)) return;
  throw invalid("timezone", `must be a time zone that this Node knows, as "Europe/Berlin", not ${JSON.stringify(timezone)}`);
}

function isTimezone(timezone: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: timezone }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}

function toTime(option: string, time: Date | number | undefined): number | undefined {
  if (time === undefined) return undefined;
  const ms = time instanceof Date ? time.getTime() : time;
  if (Number.isSafeInteger(ms) && ms >= 0 && ms <= latest) return ms;
  throw invalid(option, `must be a valid Date or whole milliseconds since 1970, up to the year 9999, not ${String(time)}`);
}

/** A time in an error's words. */
export function describeTime(ms: number): string {
  return new Date(ms).toISOString();
}

function invalid(option: string, rest: string): KeylineError {
  return new KeylineError("INVALID_OPTION", `${option} ${rest}`);
}
