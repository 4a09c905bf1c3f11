import { Button, Loader } from "@mantine/core";
import { IconArrowUp } from "@tabler/icons-react";
import { useEffect, useMemo, type ReactNode } from "react";
import type { Connection } from "../../site/page/connection-status.tsx";
import { useAction } from "../../site/page/failures.tsx";
import { countOf } from "../../site/page/format.ts";
import { useNow } from "../../site/page/ago.ts";
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
  const older = useAction();
  const { newest, list, noteNewest, release } = useHoldBack();
  const timelines = useMemo(() => views.map(({ timeline }) => timeline), [views]);
  const { rows, held, unfinished } = useMemo(() => rowsOf(timelines, newest), [timelines, newest]);
  const firstId = rows.find((row) => row.kind === "post")?.post.postId ?? 0;
  useEffect(() => noteNewest(firstId), [noteNewest, firstId]);
  const restore = (gone: Gone): Promise<void> => feeds.restore(gone);
  return (
    <section className={classes.timeline} aria-labelledby="timeline-title">
      <div className={classes.head}>
        <h2 id="timeline-title" className={classes.title}>
          {title}
        </h2>
        {aside}
      </div>
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
      <End views={views} isEmpty={rows.length === 0} feeds={feeds} />
      {unfinished.length > 0 && (
        <div className={classes.end}>
          <Button variant="default" loading={older.isUnderWay} onClick={() => older.run(() => feeds.loadOlder(unfinished))}>
            Show older posts
          </Button>
        </div>
      )}
    </section>
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

/** What is to be said where posts end, or should be. */
function End({
  views,
  isEmpty,
  feeds,
}: {
  readonly views: readonly FeedView[];
  readonly isEmpty: boolean;
  readonly feeds: Feeds;
}): ReactNode {
  if (views.some(({ state }) => state === "failed")) {
    return (
      <div className={classes.end} role="status">
        <span>Not all channels could be loaded.</span>
        <Button variant="default" size="xs" onClick={() => feeds.retry()}>
          Try again
        </Button>
      </div>
    );
  }
  if (views.some(({ state }) => state === "loading")) {
    return (
      <div className={classes.end}>
        <Loader size="sm" aria-label="Loading posts" />
      </div>
    );
  }
  if (isEmpty) return <p className={classes.end}>{views.length === 0 ? "You follow no channel." : "No posts yet. Write the first one."}</p>;
  return null;
}
