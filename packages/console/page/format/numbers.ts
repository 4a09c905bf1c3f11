const whole = new Intl.NumberFormat("en");
const small = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

/** 12,345: big numbers are exact. */
export function formatCount(count: number): string {
  return whole.format(count);
}

/** A minute: "0", "0.4", "1,240" */
export function formatRate(rate: number): string {
  return rate < 10 ? small.format(rate) : whole.format(Math.round(rate));
}

/** "1.0 MiB" */
export function formatBytes(bytes: number): string {
  if (bytes < 1_024) return `${bytes} B`;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  let size = bytes;
  let unit = "B";
  for (const next of units) {
    if (size < 1_024) break;
    size /= 1_024;
    unit = next;
  }
  return `${size.toFixed(size < 100 ? 1 : 0)} ${unit}`;
}
