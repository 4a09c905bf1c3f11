import { Iteration } from "../../runtime/iteration.ts";
import { PagedSource } from "../../runtime/paged-source.ts";
import type { ChildResult, Familial } from "./familial.ts";

/** The children of a job, in the order in which they were added, page by page as they are iterated. */
export function readChildren(family: Pick<Familial, "page">): AsyncIterableIterator<ChildResult, undefined, void> {
  let after: string | undefined = "";
  return new Iteration(
    new PagedSource(async () => {
      if (after === undefined) return undefined;
      const { results, next } = await family.page(after);
      after = next;
      return results.length > 0 ? results : undefined;
    }),
  );
}
