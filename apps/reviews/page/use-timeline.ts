import { useCallback, useEffect, useState } from "react";
import type { PlacedEvent } from "../review-event.ts";
import { loadHistory } from "./api.ts";
import type { ReviewList } from "./review-list.ts";

export interface Timeline {
  /** Oldest first; undefined until they are known. */
  readonly events: readonly PlacedEvent[] | undefined;
  /** Those that came while it was open. */
  readonly fresh: ReadonlySet<string>;
  readonly hasFailed: boolean;
  retry(): void;
}

interface Known {
  readonly loaded: readonly PlacedEvent[] | undefined;
  /** What came live: also before the history was there. */
  readonly arrived: readonly PlacedEvent[];
  readonly hasFailed: boolean;
}

const nothing: Known = { loaded: undefined, arrived: [], hasFailed: false };

/** Everything that has happened to a review, and what happens while this is shown. */
export function useTimeline(reviewId: number, list: ReviewList): Timeline {
  const [{ loaded, arrived, hasFailed }, setKnown] = useState(nothing);

  const load = useCallback(() => {
    loadHistory(reviewId).then(
      (events) => setKnown((before) => ({ ...before, loaded: events, hasFailed: false })),
      () => setKnown((before) => ({ ...before, hasFailed: true })),
    );
  }, [reviewId]);

  useEffect(() => {
    // Listening comes first: what is appended while the history is being read comes both ways, and has one id.
    const stop = list.follow((event) => {
      if (event.reviewId === reviewId) setKnown((before) => ({ ...before, arrived: [...before.arrived, event] }));
    }, load);
    load();
    return stop;
  }, [reviewId, list, load]);

  const ids = new Set(loaded?.map(({ id }) => id));
  const later = arrived.filter(({ id }) => !ids.has(id));
  return {
    events: loaded && [...loaded, ...later],
    fresh: new Set(later.map(({ id }) => id)),
    hasFailed,
    retry: load,
  };
}
