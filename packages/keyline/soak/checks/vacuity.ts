import type { Activity } from "../history.ts";
import type { Evidence } from "./evidence.ts";

const activities: readonly Activity[] = [
  "orders.add",
  "orders.run",
  "tours.add",
  "tours.run",
  "tours.step",
  "tours.cancel",
  "tours.signal",
  "tours.wait",
  "trips.add",
  "trips.run",
  "legs.run",
  "mails.add",
  "mails.run",
  "outings.add",
  "outings.run",
  "stops.run",
  "news.publish",
  "news.receive",
  "events.append",
  "events.handle",
  "events.follow",
  "readings.append",
  "readings.handle",
  "readings.follow",
];

/** Why the run proves nothing, if it does not (I0): something never worked, or no fault has struck. */
export function findVacuity({ ops, struck, faultsFrom, healedAt }: Evidence): string[] {
  const reasons: string[] = [];
  for (const activity of activities) {
    if (!ops.some(({ f, type }) => f === activity && type === "ok")) reasons.push(`no ${activity} went well`);
  }
  const during = ops.filter(({ wall, type }) => type !== "invoke" && wall >= faultsFrom && wall <= healedAt);
  if (during.length < 50) reasons.push(`only ${during.length} operations ended while faults struck`);
  const proven = struck.filter(({ proof }) => proof !== undefined);
  if (proven.length === 0) reasons.push("no fault is proven to have struck");
  const ambiguous = proven.filter(
    ({ kind }) => kind === "swallow" || kind === "cut-before" || kind === "cut" || kind === "restart-postgres",
  );
  if (ambiguous.length >= 5 && !ops.some(({ type, f }) => type === "info" && f !== "stall" && f !== "lease")) {
    reasons.push(`${ambiguous.length} faults took answers away, and every end was known all the same`);
  }
  return reasons;
}
