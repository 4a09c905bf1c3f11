import { leaseMs } from "../site.ts";
import { violated, type Evidence, type Violation } from "./evidence.ts";

// A job that somebody else has settled is none: relays may deliver a second copy.
const isLoss = /lost its lease|longer than its lease/;

/** A process that stood still is noticed when it goes on; what comes of it shows when leases have ended. */
const noticedMs = 1_000;
const aftermathMs = 3 * leaseMs;

/**
 * Before the first fault nothing may go wrong: every job runs once, nobody loses a lease, every end is known. A machine that stood still meanwhile
 * is a fault of its own, and nothing is said of what follows it.
 */
export function checkCalm({ ops, faultsFrom }: Evidence): Violation[] {
  const stalls = ops.filter(({ f }) => f === "stall");
  const isExcused = (at: number): boolean => stalls.some(({ wall }) => wall > at - aftermathMs && wall < at + noticedMs);
  const calm = ops.filter(({ wall, f }) => wall < faultsFrom && f !== "stall" && !isExcused(wall));
  const again = calm.filter(({ f, type, attempt = 1, kind }) => f.endsWith(".run") && type === "invoke" && attempt > 1 && kind !== "flaky");
  return [
    ...violated(
      "calm",
      "jobs were given to somebody else without a reason",
      again.map(({ msg, attempt, proc }) => `${msg} attempt ${attempt} by ${proc}`),
    ),
    ...violated(
      "calm",
      "leases were lost without a reason",
      calm.filter(({ f, note = "" }) => f === "lease" && isLoss.test(note)).map(({ proc, note }) => `${proc}: ${note}`),
    ),
    ...violated(
      "calm",
      "ends are not known without a reason",
      calm.filter(({ f, type }) => type === "info" && f !== "lease").map(({ msg, note }) => `${msg}: ${note}`),
    ),
  ];
}
