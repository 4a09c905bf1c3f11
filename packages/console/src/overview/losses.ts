import type { Losses, Problem } from "../api/basics.ts";
import { problemTexts } from "./problem-texts.ts";

/** Of the last hour, of a queue or of all groups of a stream. */
interface Lost {
  readonly total: { readonly leasesLost: number; readonly rescued: number; readonly overtaken: number };
}

export function toLosses({ total }: Lost): Losses {
  return { leases: total.leasesLost, rescued: total.rescued, overtaken: total.overtaken };
}

/** That leases were lost, where some were. */
export function leaseProblem(rates: Lost | undefined): Problem | undefined {
  const leases = rates?.total.leasesLost ?? 0;
  if (leases === 0) return undefined;
  return { code: "LEASES_LOST", severity: "warning", ...problemTexts.leasesLost(leases) };
}
