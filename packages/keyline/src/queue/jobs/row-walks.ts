import type { RowFilter, RowWalk } from "../../postgres/job/listed-rows.ts";
import { KeylineError } from "../../runtime/errors.ts";
import type { JobsQuery } from "./jobs-options.ts";

/** The walks whose rows are asked for, from the cursor's place on. */
export function walksOf({ state, group, cursor }: JobsQuery): readonly { readonly walk: RowWalk; readonly after?: string }[] {
  const walks = namesOfWalks(state, group);
  const [walk, after] = cursor;
  if (walk === undefined) return walks.map((name) => ({ walk: name }));
  const at = walks.findIndex((name) => name === walk);
  if (at < 0 || after === undefined || !isPlace(walk as RowWalk, after)) {
    throw new KeylineError("INVALID_CURSOR", "This is no cursor of a job that jobs() gave with the same filter");
  }
  return walks.slice(at).map((name, index) => (index === 0 ? { walk: name, after } : { walk: name }));
}

function namesOfWalks(state: JobsQuery["state"], group: string | undefined): readonly RowWalk[] {
  if (state === "dead") return ["dead"];
  if (state === "running") return ["ids"];
  if (group !== undefined) return state === undefined ? ["group", "dead"] : ["group"];
  return state === "parked" ? ["parked"] : ["ids"];
}

function isPlace(walk: RowWalk, place: string): boolean {
  if (walk === "ids") return true;
  return walk === "dead" ? /^\d{1,17} /.test(place) : /^\d{1,18}$/.test(place);
}

/** What rows can say of the filter. */
export function filterOf({ state, group, contains, error }: JobsQuery): RowFilter {
  const common = { group, contains, error };
  if (state === "dead") return { states: ["dead"], isDue: undefined, ...common };
  const open = ["waiting", "scheduled"] as const;
  if (state === undefined) return { states: [...open, "dead"], isDue: undefined, ...common };
  return { states: open, isDue: state === "scheduled" ? false : state === "waiting" ? true : undefined, ...common };
}
