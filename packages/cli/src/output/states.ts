import type { JobState } from "keyline";
import type { paint } from "./terminal.ts";

/** The colour of a job's state. */
export function stateStyle(state: JobState): Parameters<typeof paint>[1] {
  if (state === "dead") return "red";
  if (state === "running") return "green";
  return state === "blocked" || state === "parked" ? "yellow" : undefined;
}
