import { formatCursor } from "./cursor.ts";
import type { HistoryPage, Position } from "../valkey/channel/channel-log.ts";
import type { Gap } from "./message.ts";

/** One step of a reader through a history. Behind it the reader stands at `position`. */
export type Step =
  | {
      readonly kind: "message";
      readonly position: Position;
      readonly id: string;
      readonly data: string;
      readonly trace: string | undefined;
    }
  | { readonly kind: "gap"; readonly position: Position; readonly gap: Gap };

export interface Walk {
  readonly steps: readonly Step[];
  /** Where the reader stands behind the last step. */
  readonly position: Position;
}

/**
 * The way of a reader at `since` through a page that was read from there: each message once, and a gap wherever one may be missing.
 * `isEnd` says that the page reaches the end of the history.
 *
 * Why none is passed over in silence: within an era messages are numbered without holes, so a number that is missing was trimmed. Across
 * eras the numbers say nothing, as the last ones of an era may have been lost and given again; there is always a gap.
 */
export function walk(
  channel: string,
  { end, isKnown, entries }: HistoryPage,
  { since, isEnd }: { readonly since: Position | "earliest"; readonly isEnd: boolean },
): Walk {
  const steps: Step[] = [];
  // Undefined as long as nothing is known of where the reader is in this history.
  let at = since === "earliest" || !isKnown ? undefined : since;
  const pass = (reason: Gap["reason"], position: Position, missed?: number): void => {
    at = position;
    steps.push({ kind: "gap", position, gap: { channel, reason, missed, cursor: formatCursor(position) } });
  };
  const isLost = since !== "earliest" && !isKnown;
  for (const { entryId, era, count, id, data, trace } of entries) {
    // The place right before this message, as far as ids are known.
    const before = { epoch: end.epoch, era, count: count - 1, last: at?.last ?? "0-0" };
    if (isLost && !at) pass("lost", before);
    else if (at && at.era !== era) pass("restarted", before);
    else if (at && count > at.count + 1) pass("trimmed", before, count - at.count - 1);
    if (at && at.era === era && count <= at.count) {
      // A reader that was handed messages by another way has a number that is ahead of its id.
      at = { ...at, last: entryId };
      continue;
    }
    at = { epoch: end.epoch, era, count, last: entryId };
    steps.push({ kind: "message", position: at, id, data, trace });
  }
  if (!isEnd) return { steps, position: at ?? { ...end, count: 0, last: "0-0" } };
  // What came after the last entry has expired, or an era has begun in which nothing was published yet.
  if (isLost && !at) pass("lost", end);
  else if (at && at.era !== end.era) pass("restarted", end);
  else if (at && end.count > at.count) pass("trimmed", end, end.count - at.count);
  return { steps, position: end };
}

/**
 * The same of a page that was read right before the message that a reader at `before` has read last. What is kept has holes only where an era ended: its last messages
 * were lost. Where the first message of what is kept is reached nothing is announced, as it is not known what was there.
 */
export function walkBack(channel: string, page: HistoryPage, before: Position): Walk {
  if (!page.isKnown) {
    return {
      steps: [{ kind: "gap", position: before, gap: { channel, reason: "lost", missed: undefined, cursor: undefined } }],
      position: before,
    };
  }
  const { steps, position: reached } = walk(channel, page, { since: "earliest", isEnd: false });
  // Right before that message.
  const position = { ...before, count: Math.max(0, before.count - 1), last: page.entries.at(-1)?.entryId ?? "0-0" };
  if (page.entries.length === 0 || (reached.era === before.era && reached.count >= position.count)) return { steps, position };
  const gap = { channel, reason: "restarted", missed: undefined, cursor: formatCursor(position) } as const;
  return { steps: [...steps, { kind: "gap", position, gap }], position };
}
