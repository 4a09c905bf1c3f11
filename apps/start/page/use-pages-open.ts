import type { Live } from "@keyline/client";
import { useEffect, useState } from "react";
import { readersRoom } from "../../feed/channel-names.ts";

/** How many have the feed's page open. */
export function usePagesOpen(live: Live | undefined): number {
  const [count, setCount] = useState(0);
  useEffect(() => {
    if (!live) return undefined;
    const update = (): void => setCount(watch.members.size);
    const watch = live.presence(readersRoom).watch(update);
    watch.ready.then(update, () => undefined);
    return () => watch.close();
  }, [live]);
  return count;
}
