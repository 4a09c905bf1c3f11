import { Iteration } from "../runtime/iteration.ts";
import { PagedSource } from "../runtime/paged-source.ts";
import type { Entry } from "./entry.ts";
import { compareIds, idBefore } from "./entry-id.ts";
import type { EntryReader } from "./entry-reader.ts";
import type { Range, Reading } from "./reading.ts";
import { asRead } from "../valkey/client/as-read.ts";

const pageEntries = 500;
// How large entries are shows only then: from there on, pages are of about this length.
const firstPageEntries = 32;
const pageLength = 1_048_576;

/** The entries of a range, which are read page by page as they are iterated. A `limit` may be infinite. */
export function iterateRange<Data>(
  { reading, reader }: { readonly reading: Reading; readonly reader: EntryReader<Data> },
  { limit, reverse, key, ...range }: Range,
): Iteration<Entry<Data>> {
  let left = limit;
  let most = firstPageEntries;
  let { after, to } = range;
  const nextPage = async (): Promise<readonly Entry<Data>[] | undefined> => {
    if (left <= 0 || compareIds(after, to) >= 0) return undefined;
    const size = Math.min(left, most);
    const page = await reading.page({ after, to, limit: size, reverse, key });
    const length = page.reduce((sum, { data = "" }) => sum + data.length, 1);
    most = Math.max(1, Math.min(pageEntries, Math.floor((pageLength * page.length) / length)));
    const last = page.at(-1);
    left = last && page.length === size ? left - size : 0;
    if (last && reverse) to = idBefore(last.id);
    else if (last) after = last.id;
    return reader.receiveAll(page);
  };
  return new Iteration(new PagedSource(() => asRead(nextPage())));
}
