import { LiveStatus } from "@keyline/look";
import type { ReactNode } from "react";
import { useFeedState } from "../server/use-live.ts";
import { texts } from "../texts.ts";

/** Whether what the page shows is what there is. */
export function FeedStatus(): ReactNode {
  return <LiveStatus state={useFeedState()} words={texts.feed} isTold />;
}
