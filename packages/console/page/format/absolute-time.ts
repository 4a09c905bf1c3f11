const formats = new Map<string, Intl.DateTimeFormat>();

/** "29 Nov 2026, 14:05:13" in that time zone. */
export function formatAbsolute(at: number, timeZone: string | undefined): string {
  return formatOf(timeZone, true).format(at);
}

/** "29 Nov, 14:05" */
export function formatShort(at: number, timeZone: string | undefined): string {
  return formatOf(timeZone, false).format(at);
}

function formatOf(timeZone: string | undefined, isExact: boolean): Intl.DateTimeFormat {
  const key = `${timeZone ?? ""} ${isExact}`;
  const known = formats.get(key);
  if (known) return known;
  const format = new Intl.DateTimeFormat("en-GB", {
    day: "numeric",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
    ...(isExact && { year: "numeric", second: "2-digit" }),
    ...(timeZone !== undefined && { timeZone }),
  });
  formats.set(key, format);
  return format;
}

const clocks = new Map<string | undefined, Intl.DateTimeFormat>();

/** "14:05:13": of what has just been. */
export function clockTime(at: number, timeZone: string | undefined): string {
  const known = clocks.get(timeZone);
  if (known) return known.format(at);
  const zone = timeZone === undefined ? {} : { timeZone };
  const format = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", ...zone });
  clocks.set(timeZone, format);
  return format.format(at);
}
