const parts = {
  exact: { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" },
  short: { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" },
  tick: { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" },
  clock: { hour: "2-digit", minute: "2-digit", second: "2-digit" },
} as const satisfies Record<string, Intl.DateTimeFormatOptions>;

const formats = new Map<string, Intl.DateTimeFormat>();

/** "29 Nov 2026, 14:05:13" in that time zone; the reader's own where it is undefined. */
export const formatAbsolute = formatter("exact");
/** "29 Nov, 14:05" */
export const formatShort = formatter("short");
/** "Mon 30 Nov, 03:00" */
export const formatTick = formatter("tick");
/** "14:05:13": of what has just been. */
export const formatClock = formatter("clock");

function formatter(kind: keyof typeof parts): (at: number, timeZone: string | undefined) => string {
  return (at, timeZone) => {
    const key = `${kind} ${timeZone ?? ""}`;
    const known = formats.get(key);
    if (known) return known.format(at);
    // To make one costs as much as to use it a thousand times.
    const format = new Intl.DateTimeFormat("en-GB", { ...parts[kind], ...(timeZone !== undefined && { timeZone }) });
    formats.set(key, format);
    return format.format(at);
  };
}
