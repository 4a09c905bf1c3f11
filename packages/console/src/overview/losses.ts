import type { Losses, Problem } from "../api/basics.ts";
import { countOf } from "./spoken.ts";

/** Of the last hour, of a queue or of all groups of a stream. */
interface Lost {
  readonly total: { readonly leasesLost: number; readonly rescued: number; readonly overtaken: number };
}

export const leaseAdvice =
  "Look for handlers that keep their process busy without a pause, for processes that were frozen, and for leases that are too short";

export function toLosses({ total }: Lost): Losses {
  return { leases: total.leasesLost, rescued: total.rescued, overtaken: total.overtaken };
}

/** That leases were lost, where some were. */
export function leaseProblem(rates: Lost | undefined): Problem | undefined {
  const leases = rates?.total.leasesLost ?? 0;
  if (leases === 0) return undefined;
  const text = `${countOf(leases, "lease was", "leases were")} lost in the last hour: what ran was given to others`;
  return { code: "LEASES_LOST", severity: "warning", text, action: leaseAdvice };
}
