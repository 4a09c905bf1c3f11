import { useEffect, useRef, type RefObject } from "react";

/** For a row of choices that is wider than a phone: the one that is `open`, by a selector, is brought into its middle whenever another one is. */
export function useOpenInSight<Row extends HTMLElement>(open: string, chosen: string | undefined): RefObject<Row | null> {
  const row = useRef<Row>(null);
  useEffect(() => {
    const one = row.current?.querySelector<HTMLElement>(open);
    if (one && row.current) {
      const offset = one.getBoundingClientRect().left - row.current.getBoundingClientRect().left + row.current.scrollLeft;
      row.current.scrollLeft = offset - (row.current.clientWidth - one.offsetWidth) / 2;
    }
  }, [open, chosen]);
  return row;
}
