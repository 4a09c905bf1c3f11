import { KeylineError } from "../runtime/errors.ts";
import type { Position } from "../valkey/channel/channel-log.ts";

const pattern = /^([0-9a-f]{1,16})\.([0-9a-z]{8})\.(\d{1,15})\.(\d{1,20}-\d{1,20})$/;

/** The position as text. Opaque to everybody else: its form may change. */
export function formatCursor({ epoch, era, count, last }: Position): string {
  return `${epoch}.${era}.${count}.${last}`;
}

/** The position that a cursor stands for. Throws INVALID_CURSOR for a text that no message had as its cursor. */
export function parseCursor(cursor: string): Position {
  const match = typeof cursor === "string" ? pattern.exec(cursor) : null;
  if (!match) {
    throw new KeylineError(
      "INVALID_CURSOR",
      `${JSON.stringify(cursor)} is no cursor: pass the cursor of a message or of a subscription as it was given, or "earliest"`,
    );
  }
  const [, epoch = "", era = "", count = "", last = ""] = match;
  return { epoch, era, count: Number(count), last };
}

/** True for a text that could be a cursor. */
export function isCursor(text: string): boolean {
  return pattern.test(text);
}
