import { useCallback, useEffect, useRef, useState, type RefObject } from "react";

// Behind the page's header.
const topPx = 64;

interface HoldBack {
  /** Posts that are newer than this one are not to be shown now. */
  readonly newest: number | undefined;
  readonly list: RefObject<HTMLOListElement | null>;
  /** The newest post that is shown. */
  noteNewest(postId: number): void;
  /** Goes to the top, where everything is shown. */
  release(): void;
}

/** Who has scrolled down reads: what is new waits above, so that nothing moves under the eyes. */
export function useHoldBack(): HoldBack {
  const list = useRef<HTMLOListElement>(null);
  const shown = useRef(0);
  const [newest, setNewest] = useState<number>();

  useEffect(() => {
    const look = (): void => {
      const element = list.current;
      // Not there at all where another part of the page is shown.
      const isScrolled = element !== null && element.offsetParent !== null && element.getBoundingClientRect().top < topPx;
      setNewest((before) => (isScrolled ? (before ?? shown.current) : undefined));
    };
    addEventListener("scroll", look, { passive: true });
    addEventListener("resize", look, { passive: true });
    return () => {
      removeEventListener("scroll", look);
      removeEventListener("resize", look);
    };
  }, []);

  const noteNewest = useCallback((postId: number) => {
    shown.current = postId;
  }, []);
  const release = useCallback(() => {
    setNewest(undefined);
    scrollTo({ top: 0 });
    // The button that had the focus is gone.
    document.getElementById("main")?.focus({ preventScroll: true });
  }, []);
  return { newest, list, noteNewest, release };
}
