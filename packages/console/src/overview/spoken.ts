/** A number and what it counts, in words: `1 job`, `12 jobs`. */
export function countOf(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

const units = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1_000],
] as const;

/** A duration in words, in its largest unit: `3 minutes`. */
export function durationOf(ms: number): string {
  const [name, size] = units.find(([, size]) => ms >= size) ?? units[units.length - 1] ?? ["second", 1_000];
  return countOf(Math.round(ms / size), name);
}
