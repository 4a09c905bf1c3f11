import { IconPlugConnectedX } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { When } from "../parts/when.tsx";
import { useHealth } from "../server/queries.ts";
import { texts } from "../texts.ts";
import classes from "./away-banner.module.css";
import { useFeedLoss } from "./use-feed-loss.ts";

/** Says what the page cannot know at the moment. It goes by itself. */
export function AwayBanner(): ReactNode {
  const lostSince = useFeedLoss();
  const { data } = useHealth();
  const lines: ReactNode[] = [];
  if (lostSince !== undefined) {
    lines.push(
      <span key="feed">
        {texts.away.feed} <When at={lostSince} />. {texts.away.again}
      </span>,
    );
  } else {
    if (data?.valkey.state === "away") lines.push(<span key="valkey">{texts.away.valkey}</span>);
    if (data?.postgres.state === "away") lines.push(<span key="postgres">{texts.away.postgres}</span>);
  }
  return (
    <div role="alert">
      {lines.length > 0 && (
        <div className={classes.banner}>
          <IconPlugConnectedX size={18} stroke={1.75} aria-hidden="true" />
          <div className={classes.lines}>{lines}</div>
        </div>
      )}
    </div>
  );
}
