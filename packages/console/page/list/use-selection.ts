import { useMemo, useState } from "react";
import type { Selection } from "./list.tsx";

/** Which rows are selected, by their ids: they stay so while the list is read again and grows. */
export function useSelection(): Selection & { clear(): void } {
  const [ids, setIds] = useState<ReadonlySet<string>>(new Set());
  return useMemo(
    () => ({
      ids,
      select: (id, isSelected) => setIds((before) => changed(before, [id], isSelected)),
      selectAll: (all, isSelected) => setIds((before) => changed(before, all, isSelected)),
      clear: () => setIds(new Set()),
    }),
    [ids],
  );
}

function changed(before: ReadonlySet<string>, ids: readonly string[], isSelected: boolean): ReadonlySet<string> {
  const after = new Set(before);
  for (const id of ids) {
    if (isSelected) after.add(id);
    else after.delete(id);
  }
  return after;
}
