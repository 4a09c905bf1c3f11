import { VisuallyHidden } from "@mantine/core";
import { IconArrowUp, IconHistoryOff } from "@tabler/icons-react";
import { Fragment, type ReactNode } from "react";
import { formatAgo, useNow } from "../../site/page/ago.ts";
import { Avatar } from "../../site/page/avatar.tsx";
import { countOf } from "../../site/page/format.ts";
import type { Heard } from "./memory.ts";
import classes from "./notification-list.module.css";

interface NotificationListProps {
  /** Newest first. */
  readonly heard: readonly Heard[];
  /** The newest notification at the time when it was found out that others are missing. */
  readonly goneAfter: string | undefined;
  onSelect(reviewId: number): void;
}

export function NotificationList({ heard, goneAfter, onSelect }: NotificationListProps): ReactNode {
  const now = useNow();
  const isGoneBeforeAll = goneAfter !== undefined && !heard.some(({ id }) => id === goneAfter);
  return (
    <>
      <h2 className={classes.title}>Notifications</h2>
      <ol className={classes.list} data-testid="notifications">
        {heard.length === 0 && !isGoneBeforeAll && (
          <li className={classes.empty}>None yet. When somebody reacts or replies to a review of yours, the bell rings.</li>
        )}
        {heard.map((one, index) => (
          <Fragment key={one.id}>
            {one.id === goneAfter && <Gone />}
            <li>
              <Row one={one} now={now} onSelect={() => onSelect(one.reviewId)} />
            </li>
            {one.missedIn !== undefined && heard[index + 1]?.missedIn !== one.missedIn && (
              <li className={classes.divider}>
                <IconArrowUp size={14} stroke={2.25} aria-hidden="true" />
                You missed {countOf(heard.filter(({ missedIn }) => missedIn === one.missedIn).length, "notification")}
              </li>
            )}
          </Fragment>
        ))}
        {isGoneBeforeAll && <Gone />}
      </ol>
    </>
  );
}

/** Stands where the channel's history cannot bring what is missing. */
function Gone(): ReactNode {
  return (
    <li className={classes.divider} data-kind="gone">
      <IconHistoryOff size={14} stroke={2} aria-hidden="true" />
      <span>Some are gone from here. The timelines have them.</span>
    </li>
  );
}

interface RowProps {
  readonly one: Heard;
  readonly now: number;
  onSelect(): void;
}

function Row({ one, now, onSelect }: RowProps): ReactNode {
  const { userId, action, content, about, at, missedIn, isSeen } = one;
  return (
    <button type="button" className={classes.row} data-missed={missedIn !== undefined} data-new={!isSeen} onClick={onSelect}>
      <Avatar name={userId} size={32} />
      <span>
        <span className={classes.text}>
          <bdi className={classes.who}>{userId}</bdi> {action === "reaction" ? "reacted:" : "replied:"}{" "}
          <span className={action === "response" ? classes.content : undefined} dir="auto">
            {content}
          </span>
        </span>
        <span className={classes.about}>on “{about}”</span>
      </span>
      <span className={classes.end}>
        {formatAgo(new Date(at).toISOString(), now)}
        {!isSeen && (
          <span className={classes.new}>
            <VisuallyHidden>new</VisuallyHidden>
          </span>
        )}
      </span>
    </button>
  );
}
