import { timeOf } from "../entry-id.ts";

const largestNumber = (1n << 64n) - 1n;

/** The last possible id before `id`. */
export function idBefore(id: string): string {
  const time = timeOf(id);
  const number = BigInt(id.slice(id.indexOf("-") + 1));
  if (number > 0n) return `${time}-${number - 1n}`;
  return time === 0 ? "0-0" : `${time - 1}-${largestNumber}`;
}
