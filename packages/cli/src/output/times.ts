const units = [
  { name: "d", ms: 86_400_000 },
  { name: "h", ms: 3_600_000 },
  { name: "m", ms: 60_000 },
  { name: "s", ms: 1_000 },
] as const;

/** A length of time in the largest two units that it has: 2h 5m, 41s, 12ms. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))}ms`;
  const index = units.findIndex((unit) => ms >= unit.ms);
  const unit = units[index];
  if (!unit) return "0ms";
  const whole = Math.floor(ms / unit.ms);
  const next = units[index + 1];
  const rest = next === undefined ? 0 : Math.floor((ms % unit.ms) / next.ms);
  return next === undefined || rest === 0 ? `${whole}${unit.name}` : `${whole}${unit.name} ${rest}${next.name}`;
}

/** As somebody reads it: how long ago, or in how long. */
export function relative(at: number, now: number = Date.now()): string {
  if (Math.abs(at - now) < 1_000) return "now";
  return at > now ? `in ${duration(at - now)}` : `${duration(now - at)} ago`;
}

/** As a program reads it. */
export function exact(at: number): string {
  return Number.isFinite(at) && Math.abs(at) <= 8.64e15 ? new Date(at).toISOString() : String(at);
}
