import { useCallback, useMemo } from "react";
import { useSearch } from "wouter";
import { searchOf, type Filter } from "../routes.ts";

/** The filter that stands in the address, where it survives every act and can be sent to somebody. */
export function useFilter(): readonly [Filter, (changes: Filter) => void] {
  const changed = useSearch();
  const filter = useMemo(() => {
    // wouter's own text is decoded once too often for values with a per cent sign.
    void changed;
    return Object.fromEntries(new URLSearchParams(location.search));
  }, [changed]);
  const change = useCallback((changes: Filter) => {
    const next = { ...Object.fromEntries(new URLSearchParams(location.search)), ...changes };
    history.replaceState(null, "", location.pathname + searchOf(next));
  }, []);
  return [filter, change];
}
