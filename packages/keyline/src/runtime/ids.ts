import { randomBytes } from "node:crypto";

const alphabet = "0123456789abcdefghijklmnopqrstuvwxyz";

/** `length` random characters of 0-9 and a-z. */
export function randomTag(length: number): string {
  let tag = "";
  // The bias of 256 modulo 36 does not matter: tags must differ, not be secret.
  for (const byte of randomBytes(length)) tag += alphabet.charAt(byte % 36);
  return tag;
}

const processTag = randomTag(8);
let lastMs = 0;
let prefix = "";
let counter = 0;

/**
 * A new id: milliseconds, a counter and a tag of the process, so that ids of one process sort in the order in which they
 * were made and b-tree inserts stay at the right edge.
 */
export function newId(): string {
  const now = Date.now();
  // A clock that steps back must not make ids that sort before older ones.
  if (now > lastMs) {
    lastMs = now;
    counter = 0;
    prefix = now.toString(36).padStart(9, "0");
  }
  const digits = counterDigits(counter++);
  // Read after the digits, which may have moved on to the next millisecond.
  return prefix + digits + processTag;
}

/** Whether an id is one that `newId` made, as far as one can see: it is never used again. */
export function isNewId(id: string): boolean {
  return /^[0-9a-z]{20}$/.test(id);
}

function counterDigits(count: number): string {
  if (count >= 46_656) {
    lastMs++;
    counter = 1;
    prefix = lastMs.toString(36).padStart(9, "0");
    return "000";
  }
  const low = count % 36;
  const middle = ((count - low) / 36) % 36;
  const high = (count - low - middle * 36) / 1296;
  return alphabet.charAt(high) + alphabet.charAt(middle) + alphabet.charAt(low);
}
