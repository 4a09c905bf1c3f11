import { toError } from "../runtime/errors.ts";
import type { Seam } from "../runtime/probe.ts";
import type { RawEntry } from "./entry.ts";

/** Has a projection's handler write a page, and tells of it where somebody wants to know. */
export function projectPage(
  { probe }: Seam,
  { stream, projection, page }: { readonly stream: string; readonly projection: string; readonly page: readonly RawEntry[] },
  write: () => Promise<void>,
): Promise<void> {
  if (!probe) return write();
  const ids = page.map(({ id }) => id);
  const traces = page.map(({ trace }) => trace);
  return new Promise((resolve, reject) => {
    // Its position moves in the transaction that it writes in: there is no settle of its own.
    probe.process({ place: stream, group: projection, isBatch: true, ids, traces, of: [] }, (ended) => {
      Promise.resolve()
        .then(write)
        .then(
          () => ended(undefined, resolve),
          (error: unknown) => ended(toError(error), () => reject(toError(error))),
        );
    });
  });
}
