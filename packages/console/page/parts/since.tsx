import type { ReactNode } from "react";
import { useOfNow } from "../format/clock.ts";
import { formatDuration } from "../format/relative-time.ts";

/** How long something has gone on, as it goes on. */
export function Since({ at }: { readonly at: number }): ReactNode {
  const text = useOfNow((now) => formatDuration(Math.max(0, now - at)));
  return <span style={{ fontVariantNumeric: "tabular-nums", whiteSpace: "nowrap" }}>{text}</span>;
}
