import type { ReactNode } from "react";
import { useFeedState } from "../server/use-live.ts";
import { texts } from "../texts.ts";
import classes from "./feed-status.module.css";

/** Whether what the page shows is what there is. */
export function FeedStatus(): ReactNode {
  const state = useFeedState();
  return (
    <span className={classes.status} data-feed={state} role="status">
      <span className={classes.word}>{texts.feed[state]}</span>
    </span>
  );
}
