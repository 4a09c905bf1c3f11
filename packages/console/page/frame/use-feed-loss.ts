import { useEffect, useState } from "react";
import { useFeedState } from "../server/use-live.ts";

const patienceMs = 2_500;

/** Since when the feed is away: not at once, as it is gone for a moment whenever it is made anew. */
export function useFeedLoss(): number | undefined {
  const state = useFeedState();
  const [since, setSince] = useState<number>();
  useEffect(() => {
    if (state !== "lost") {
      setSince(undefined);
      return undefined;
    }
    const lostAt = Date.now();
    const timer = setTimeout(() => setSince(lostAt), patienceMs);
    return () => clearTimeout(timer);
  }, [state]);
  return since;
}
