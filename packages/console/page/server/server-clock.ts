/** The header has whole seconds, and the answer was under way: less than this says nothing. */
const leastSkewMs = 2_000;
let skewMs = 0;

/** Takes note of the time at which the server says it answered. */
export function noteServerTime(date: string | null): void {
  const at = date === null ? NaN : Date.parse(date);
  if (Number.isNaN(at)) return;
  const seen = at - Date.now();
  skewMs = Math.abs(seen) < leastSkewMs ? 0 : seen;
}

/** The time by the server's clock, which all times of the page are of: the reader's own clock may be wrong. */
export function serverNow(): number {
  return Date.now() + skewMs;
}
