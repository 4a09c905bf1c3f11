/** What every job carries: its number, by which deliveries are counted, and filler up to the wanted size. */
export interface Payload {
  readonly seq: number;
  readonly filler: string;
}

/** Makes payloads whose JSON is exactly `bytes` long (one byte a character). */
export function payloadsOf(bytes: number): (seq: number) => Payload {
  const frame = JSON.stringify({ seq: 0, filler: "" }).length - 1;
  const longest = "x".repeat(bytes);
  // One filler per number of digits, so that making a payload costs next to nothing beside adding it.
  const fillers = Array.from({ length: 10 }, (_, digits) => longest.slice(0, Math.max(0, bytes - frame - digits)));
  return (seq) => ({ seq, filler: fillers[digitsOf(seq)] ?? "" });
}

function digitsOf(seq: number): number {
  return seq < 10 ? 1 : Math.floor(Math.log10(seq)) + 1;
}
