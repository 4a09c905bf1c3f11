import { Button, Tooltip } from "@mantine/core";
import { IconChevronDown, IconTimelineEvent } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { formatAgo, formatExactly } from "../../site/page/ago.ts";
import { Avatar } from "../../site/page/avatar.tsx";
import { useAction } from "../../site/page/failures.tsx";
import { countOf, formatCount } from "../../site/page/format.ts";
import { reactionKinds } from "../reaction-kinds.ts";
import type { Review } from "../review.ts";
import type { Account } from "./account.ts";
import { postReaction } from "./api.ts";
import { iconOf } from "./reaction-icons.ts";
import classes from "./review-card.module.css";
import type { ReviewList } from "./review-list.ts";
import { TimelineView } from "./timeline-view.tsx";
import type { Reacted } from "./use-reacted.ts";

interface ReviewCardProps {
  readonly review: Review;
  readonly now: number;
  readonly list: ReviewList;
  readonly reacted: Reacted;
  requireAccount(): Account | undefined;
  /** Whether its timeline is. */
  readonly isOpen: boolean;
  onOpen(isOpen: boolean): void;
}

export function ReviewCard({ review, now, list, reacted, requireAccount, isOpen, onOpen }: ReviewCardProps): ReactNode {
  const { reviewId, userId, content, postedAt, reactions, responses } = review;
  const action = useAction();
  const events = 1 + reactions + responses;
  const replies = responses === 0 ? "Reply" : `${formatCount(responses)} ${responses === 1 ? "reply" : "replies"}`;
  const timelineId = `timeline-${reviewId}`;

  const react = (reaction: string): void => {
    if (action.isUnderWay || reacted.has(reviewId, reaction)) return;
    const account = requireAccount();
    if (!account) return;
    action.run(async () => {
      await account.use((token) => postReaction(reviewId, { userId: account.userId, action: "reaction", content: reaction }, token));
      reacted.note(reviewId, reaction);
    });
  };

  return (
    <article className={classes.review} id={`review-${reviewId}`} tabIndex={-1} aria-label={`Review by ${userId}`}>
      <Avatar name={userId} />
      <div>
        <p className={classes.head}>
          <bdi className={classes.author}>{userId}</bdi>
          <time className={classes.time} dateTime={postedAt} title={formatExactly(postedAt)}>
            {formatAgo(postedAt, now)}
          </time>
        </p>
        <p className={classes.content} dir="auto">
          {content}
        </p>
      </div>
      <div className={`${classes.foot} ${classes.opened}`}>
        <div className={classes.reactions} role="group" aria-label="Reactions">
          {reactionKinds.map((kind) => (
            <ReactionButton
              key={kind}
              kind={kind}
              count={review.kinds[kind] ?? 0}
              isGiven={reacted.has(reviewId, kind)}
              onReact={() => react(kind)}
            />
          ))}
        </div>
        {review.kinds["other"] !== undefined && <span className={classes.others}>and {countOf(review.kinds["other"], "other")}</span>}
        <Button
          variant="subtle"
          color="gray"
          size="compact-sm"
          className={classes.toggle ?? ""}
          leftSection={<IconTimelineEvent size={16} stroke={1.75} />}
          rightSection={<IconChevronDown size={14} stroke={2} className={classes.chevron} />}
          aria-expanded={isOpen}
          aria-controls={isOpen ? timelineId : undefined}
          aria-label={`${replies}, timeline of ${countOf(events, "event")}`}
          onClick={() => onOpen(!isOpen)}
        >
          {replies}
        </Button>
      </div>
      {isOpen && (
        <div className={classes.opened} id={timelineId}>
          <TimelineView review={review} expected={events} now={now} list={list} requireAccount={requireAccount} />
        </div>
      )}
    </article>
  );
}

interface ReactionButtonProps {
  readonly kind: string;
  readonly count: number;
  readonly isGiven: boolean;
  onReact(): void;
}

function ReactionButton({ kind, count, isGiven, onReact }: ReactionButtonProps): ReactNode {
  const Icon = iconOf(kind);
  return (
    <Tooltip label={kind} openDelay={300}>
      <button
        type="button"
        className={classes.reaction}
        aria-label={count > 0 ? `${kind}, ${formatCount(count)}` : kind}
        aria-pressed={isGiven}
        onClick={onReact}
      >
        <Icon size={18} stroke={1.75} aria-hidden="true" />
        {count > 0 && formatCount(count)}
      </button>
    </Tooltip>
  );
}
