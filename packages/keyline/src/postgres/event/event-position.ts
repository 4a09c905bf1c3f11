const sequenceBits = 20n;
const largestSequence = (1n << sequenceBits) - 1n;
const largestPosition = (1n << 63n) - 1n;

/** The position in PostgreSQL of an id on Valkey, as text: 64 bits are more than a number holds. Ids that no event can have come to the nearest. */
export function toPosition(id: string): string {
  const dash = id.indexOf("-");
  const sequence = BigInt(id.slice(dash + 1));
  const position = (BigInt(id.slice(0, dash)) << sequenceBits) | (sequence < largestSequence ? sequence : largestSequence);
  return String(position < largestPosition ? position : largestPosition);
}

/** The id on Valkey of a position. */
export function toEventId(position: string | bigint): string {
  const value = BigInt(position);
  return `${value >> sequenceBits}-${value & largestSequence}`;
}

/** The same in SQL. */
export const eventId = "(position >> 20) || '-' || (position & 1048575)";
