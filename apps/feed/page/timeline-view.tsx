import { Button } from "@mantine/core";
import { IconArrowUp } from "@tabler/icons-react";
import { useEffect, useMemo, type ReactNode } from "react";
import type { Connection } from "../../site/page/connection-status.tsx";
import { countOf } from "../../site/page/format.ts";
import { useNow } from "../../site/page/ago.ts";
import { ListEnd } from "../../site/page/list-end.tsx";
import { ListPanel } from "../../site/page/list-panel.tsx";
import { GoneDivider, MissedDivider } from "./dividers.tsx";
import type { Feeds, FeedView } from "./feeds.ts";
import { PostCard } from "./post-card.tsx";
import { rowsOf, type Row } from "./rows.ts";
import classes from "./timeline-view.module.css";
import type { Gone } from "./timeline.ts";
import { useHoldBack } from "./use-hold-back.ts";

interface TimelineViewProps {
  readonly title: string;
  /** Beside the title. */
  readonly aside: ReactNode;
  readonly connection: Connection;
  readonly feeds: Feeds;
  /** Of the channels to be shown, as far as they are open. */
  readonly views: readonly FeedView[];
  /** Undefined where one channel is shown. */
  readonly onChannel: ((channel: string) => void) | undefined;
}

export function TimelineView({ title, aside, connection, feeds, views, onChannel }: TimelineViewProps): ReactNode {
  const now = useNow();
  const { newest, list, noteNewest, release } = useHoldBack();
  const timelines = useMemo(() => views.map(({ timeline }) => timeline), [views]);
  const { rows, held, unfinished } = useMemo(() => rowsOf(timelines, newest), [timelines, newest]);
  const firstId = rows.find((row) => row.kind === "post")?.post.postId ?? 0;
  useEffect(() => noteNewest(firstId), [noteNewest, firstId]);
  const restore = (gone: Gone): Promise<void> => feeds.restore(gone);
  return (
    <ListPanel title={title} aside={aside}>
      <p className={classes.notice} role="status">
        {connection === "lost" && "Reconnecting. What is posted meanwhile will be here, in order."}
      </p>
      <div className={classes.pill}>
        {held > 0 && (
          <Button radius="xl" size="sm" leftSection={<IconArrowUp size={16} />} onClick={release}>
            {countOf(held, "new post")}
          </Button>
        )}
      </div>
      <ol className={classes.rows} ref={list} data-testid="posts">
        {rows.map((row) => (
          <RowItem key={row.key} row={row} now={now} onChannel={onChannel} restore={restore} />
        ))}
      </ol>
      <ListEnd
        state={stateOf(views)}
        noun="posts"
        failure="Not all channels could be loaded."
        empty={rows.length > 0 ? undefined : views.length === 0 ? "You follow no channel." : "No posts yet. Write the first one."}
        hasOlder={unfinished.length > 0}
        onRetry={() => feeds.retry()}
        loadOlder={() => feeds.loadOlder(unfinished)}
      />
    </ListPanel>
  );
}

interface RowItemProps {
  readonly row: Row;
  readonly now: number;
  readonly onChannel: ((channel: string) => void) | undefined;
  restore(gone: Gone): Promise<void>;
}

function RowItem({ row, now, onChannel, restore }: RowItemProps): ReactNode {
  switch (row.kind) {
    case "post":
      return (
        <li className={classes.row} data-post={row.post.postId} data-missed={row.post.missedIn !== undefined}>
          <PostCard post={row.post} now={now} onChannel={onChannel} />
        </li>
      );
    case "missed":
      return (
        <li className={classes.divider}>
          <MissedDivider count={row.count} />
        </li>
      );
    case "gone":
      return (
        <li className={classes.divider}>
          <GoneDivider gone={row.gone} restore={restore} />
        </li>
      );
  }
}

/** Of all channels together. */
function stateOf(views: readonly FeedView[]): "failed" | "loading" | "ready" {
  return (["failed", "loading"] as const).find((one) => views.some(({ state }) => state === one)) ?? "ready";
}
