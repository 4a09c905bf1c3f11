import type { ChildRow, FamilyTable } from "../../postgres/job/family-table.ts";
import { Iteration } from "../../runtime/iteration.ts";
import { parseJson } from "../../runtime/json.ts";
import { PagedSource } from "../../runtime/paged-source.ts";
import type { ChildResult } from "./familial.ts";

const page = 500;

/** The children of a job, in the order in which they were added, page by page as they are iterated. */
export function readChildren(
  table: FamilyTable,
  { queue, id }: { readonly queue: string; readonly id: string },
): AsyncIterableIterator<ChildResult, undefined, void> {
  let after: number | undefined = 0;
  return new Iteration(
    new PagedSource(async () => {
      if (after === undefined) return undefined;
      const rows = await table.children(queue, id, { after, limit: page });
      after = rows.length < page ? undefined : rows.at(-1)?.number;
      return rows.length > 0 ? rows.map(toResult) : undefined;
    }),
  );
}

function toResult({ queue, id, outcome, value, reason }: ChildRow): ChildResult {
  return { queue, id, outcome: outcome ?? "open", value: value === null ? undefined : parseJson(value), reason: reason ?? undefined };
}
