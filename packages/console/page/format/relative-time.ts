import { texts } from "../texts.ts";

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/** "now", "12 s ago", "in 5 min", "3 h ago", "2 days ago" */
export function formatRelative(at: number, now: number): string {
  const away = Math.abs(now - at);
  if (away < 1_500) return texts.time.now;
  const length = formatLength(away);
  return at < now ? texts.time.ago(length) : texts.time.ahead(length);
}

/** One figure and its unit: how old something is at a glance. */
export function formatLength(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < minute) return `${Math.round(ms / 1_000)} s`;
  if (ms < hour) return `${Math.floor(ms / minute)} min`;
  if (ms < 2 * day) return `${Math.floor(ms / hour)} h`;
  return texts.time.days(Math.floor(ms / day));
}

/** Two figures where that says more: "0.4 ms", "840 ms", "3.4 s", "2 min 5 s", "4 h 12 min" */
export function formatDuration(ms: number): string {
  if (ms < 10) return `${Number(ms.toFixed(1))} ms`;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < minute) return `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  if (ms < hour) return pair(ms, minute, "min", 1_000, "s");
  if (ms < 2 * day) return pair(ms, hour, "h", minute, "min");
  return texts.time.days(Math.floor(ms / day));
}

function pair(ms: number, large: number, largeUnit: string, small: number, smallUnit: string): string {
  const rest = Math.floor((ms % large) / small);
  const whole = `${Math.floor(ms / large)} ${largeUnit}`;
  return rest === 0 ? whole : `${whole} ${rest} ${smallUnit}`;
}
