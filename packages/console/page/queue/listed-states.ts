import type { ListedState } from "../../src/api/job.ts";

/** The states that have a list, in the order of a job's life. */
export const listedStates: readonly ListedState[] = ["waiting", "running", "scheduled", "blocked", "parked", "dead"];
