const day = 86_400_000;

/** Hours of a day, days of more. */
export function axisFormat(spanMs: number, timeZone: string | undefined): Intl.DateTimeFormat {
  const zone = timeZone === undefined ? {} : { timeZone };
  if (spanMs <= 1.5 * day) return new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", ...zone });
  return new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", ...zone });
}
