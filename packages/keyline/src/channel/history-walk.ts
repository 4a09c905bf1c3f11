import { formatCursor, isBefore } from "./cursor.ts";
import type { HistoryPage, Position } from "../valkey/channel-log.ts";
import type { Gap } from "./message.ts";

/** One step of a reader through a history. Behind it the reader stands at `position`. */
export type Step =
  | { readonly kind: "message"; readonly position: Position; readonly id: string; readonly data: string }
  | { readonly kind: "gap"; readonly position: Position; readonly gap: Gap };

export interface Walk {
  readonly steps: readonly Step[];
  /** Where the reader stands behind the last step. */
  readonly position: Position;
}

// A server process of which nothing is known any more: a cursor with it is met with suspicion.
const unknownRun = "00000000";

/**
 * The way of a reader at `since` through a page that was read from there: each message once, and a gap wherever one may be missing.
 * `isEnd` says that the page reaches the end of the history.
 *
 * Why none is passed over in silence: messages of one history are numbered without holes, so a number that is missing was trimmed.
 * The numbers say nothing across a restart, where the last ones may be given again; there the entry that marks it, or the
 * server's verdict that it is out of reach, makes a gap.
 */
export function walk(
  channel: string,
  page: HistoryPage,
  { since, isEnd }: { readonly since: Position | "earliest"; readonly isEnd: boolean },
): Walk {
  const { end, sinceRun, verdict } = page;
  const steps: Step[] = [];
  let at: Position = since !== "earliest" && verdict === "ok" ? since : { epoch: end.epoch, run: unknownRun, count: 0, last: "0-0" };
  // False where the number of the next message cannot be foretold.
  let isNumbered = since !== "earliest" && verdict === "ok";
  let open: { readonly reason: Gap["reason"]; readonly last: string } | undefined;
  if (since !== "earliest" && verdict !== "ok") open = { reason: verdict, last: verdict === "lost" ? "0-0" : sinceRun };

  const addGap = (reason: Gap["reason"], missed: number | undefined, position: Position): void => {
    at = position;
    const before = steps.at(-1);
    if (reason === "restarted" && before?.kind === "gap" && before.gap.reason === reason) steps.pop();
    steps.push({ kind: "gap", position, gap: { channel, reason, missed, cursor: formatCursor(position) } });
  };
  const closeGap = (position: Omit<Position, "epoch" | "last">): void => {
    if (open) addGap(open.reason, undefined, { epoch: end.epoch, ...position, last: open.last });
    open = undefined;
  };

  for (const entry of page.entries) {
    if (entry.kind === "restart") {
      closeGap({ run: at.run, count: at.count });
      at = { ...at, run: entry.run, last: entry.entryId };
      open = { reason: "restarted", last: entry.entryId };
      isNumbered = false;
      continue;
    }
    // A reader's count may be ahead of its id, behind messages that were passed over.
    if (isNumbered && entry.count <= at.count) {
      at = { ...at, last: entry.entryId };
      continue;
    }
    const run = isBefore(entry.entryId, sinceRun) ? at.run : end.run;
    closeGap({ run, count: entry.count - 1 });
    if (isNumbered && entry.count > at.count + 1) addGap("trimmed", entry.count - at.count - 1, { ...at, run, count: entry.count - 1 });
    at = { epoch: end.epoch, run, count: entry.count, last: entry.entryId };
    isNumbered = true;
    steps.push({ kind: "message", position: at, id: entry.id, data: entry.data });
  }
  if (!isEnd) {
    closeGap({ run: at.run, count: at.count });
    return { steps, position: at };
  }
  if (open) addGap(open.reason, undefined, end);
  // What came after the last entry has expired.
  else if (isNumbered && end.count > at.count) addGap("trimmed", end.count - at.count, end);
  return { steps, position: end };
}
