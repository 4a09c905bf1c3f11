import type { LogPage } from "../valkey/stream/stream-log.ts";
import { compareIds, idBefore } from "./entry-id.ts";
import type { Gap, ReadPlace } from "./reading.ts";

/** Where a reader is that has read this page: the epoch and the era of a plain stream, as its places have them. */
export function memoryOf({ epoch, eras }: LogPage): string {
  return `${epoch}.${eras.at(-1)?.name ?? ""}`;
}

/** What a reader at `place` cannot have, by what a page shows that was read from there: see stream-state.lua. */
export function findGap(place: ReadPlace, page: LogPage): Gap | undefined {
  const { after, epoch, isHeld = false } = place;
  if (epoch === undefined) return undefined;
  const lostBehind = epoch === "" ? undefined : findLoss(place, page);
  if (lostBehind !== undefined) return { reason: "lost", until: lostBehind };
  const { newest, trimmed, first } = page;
  // Somebody was given this id, or says so. What came since it was lost is of the last era at the least.
  if (compareIds(after, newest) > 0) return { reason: "lost", until: epoch === "" ? (page.eras.at(-1)?.behind ?? newest) : newest };
  if (page.isPlaceThere || after === newest) return undefined;
  if (epoch === "" && after !== "0-0" && compareIds(after, page.began) < 0) return { reason: "lost", until: "0-0" };
  if (compareIds(after, trimmed) < 0) return { reason: "trimmed", until: trimmed };
  if (after === trimmed) return undefined;
  if (page.added === page.length) return isHeld ? { reason: "lost", until: after } : undefined;
  // What was given and is not there, or was removed by somebody else.
  const until = first === "" ? newest : idBefore(first);
  // Trimming takes nothing from what was ever added; where that is less than it was, this is another stream.
  if (compareIds(after, until) < 0) return { reason: page.added < (place.added ?? 0) ? "lost" : "trimmed", until };
  return isHeld ? { reason: "lost", until: after } : undefined;
}

/** Behind which id everything is new to somebody who reached the place in a memory that is not this one; undefined where nothing is. */
function findLoss({ after, epoch = "" }: ReadPlace, { epoch: now, eras }: LogPage): string | undefined {
  const [name, era] = epoch.split(".");
  if (name !== now) return "0-0";
  const index = eras.findIndex((one) => one.name === era);
  // One that is not known any more, or was lost itself, ended where the newest began at the latest.
  const next = index < 0 ? eras.at(-1) : eras[index + 1];
  return next && compareIds(after, next.behind) > 0 ? next.behind : undefined;
}
