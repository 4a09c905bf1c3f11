import { Button, Textarea } from "@mantine/core";
import { IconMessage, IconPencil } from "@tabler/icons-react";
import type { CSSProperties, ReactNode } from "react";
import { formatAgo, formatExactly } from "../../site/page/ago.ts";
import { countOf } from "../../site/page/format.ts";
import type { Review } from "../review.ts";
import type { PlacedEvent } from "../review-event.ts";
import type { Account } from "./account.ts";
import { postReaction } from "./api.ts";
import { iconOf } from "./reaction-icons.ts";
import type { ReviewList } from "./review-list.ts";
import classes from "./timeline-view.module.css";
import { useComposer } from "./use-composer.ts";
import { useTimeline } from "./use-timeline.ts";

interface TimelineViewProps {
  readonly review: Review;
  /** How many events there should be. */
  readonly expected: number;
  readonly now: number;
  readonly list: ReviewList;
  requireAccount(): Account | undefined;
}

/** Everything that has happened to a review, in order, and a place to add to it. */
export function TimelineView({ review, expected, now, list, requireAccount }: TimelineViewProps): ReactNode {
  const { reviewId } = review;
  const { events, fresh, hasFailed, retry } = useTimeline(reviewId, list);
  return (
    <section className={classes.timeline} aria-label="Timeline">
      <p className={classes.title}>
        Everything that happened, in order
        <span>{events && countOf(events.length, "event")}</span>
      </p>
      <ol
        className={classes.events}
        style={{ "--expected": Math.min(expected, 12) } as CSSProperties}
        data-testid="timeline"
        aria-busy={!events}
        aria-live="polite"
        aria-relevant="additions"
      >
        {events?.map((event) => (
          <EventRow key={event.id} event={event} now={now} isFresh={fresh.has(event.id)} />
        ))}
        {hasFailed && !events && (
          <li className={classes.end}>
            The timeline could not be loaded.
            <Button variant="default" size="xs" onClick={retry}>
              Try again
            </Button>
          </li>
        )}
      </ol>
      <ReplyForm reviewId={reviewId} requireAccount={requireAccount} />
    </section>
  );
}

interface EventRowProps {
  readonly event: PlacedEvent;
  readonly now: number;
  readonly isFresh: boolean;
}

function EventRow({ event, now, isFresh }: EventRowProps): ReactNode {
  const { action, userId, content, at } = event;
  const Icon = action === "review" ? IconPencil : action === "response" ? IconMessage : iconOf(content);
  return (
    <li className={classes.event} data-action={action} data-fresh={isFresh}>
      <span className={classes.sign}>
        <Icon size={15} stroke={1.75} aria-hidden="true" />
      </span>
      <span className={classes.what}>
        <bdi className={classes.who}>{userId}</bdi>
        {action === "review" ? (
          <span className={classes.quiet}>wrote the review</span>
        ) : (
          <span className={action === "reaction" ? classes.quiet : undefined} dir="auto">
            {content}
          </span>
        )}
      </span>
      <time className={classes.time} dateTime={at} title={formatExactly(at)}>
        {formatAgo(at, now)}
      </time>
    </li>
  );
}

interface ReplyFormProps {
  readonly reviewId: number;
  requireAccount(): Account | undefined;
}

function ReplyForm({ reviewId, requireAccount }: ReplyFormProps): ReactNode {
  const { isUnderWay, submit, field } = useComposer({
    requireAccount,
    post: (account, content) => {
      const reply = { userId: account.userId, action: "response", content } as const;
      return account.use((token) => postReaction(reviewId, reply, token));
    },
    onPosted: () => field.ref.current?.focus(),
  });

  return (
    <form onSubmit={submit} noValidate className={classes.form}>
      <Textarea {...field} aria-label="Your reply" placeholder="Reply" autosize minRows={1} maxRows={8} />
      <Button type="submit" variant="default" aria-disabled={isUnderWay} title="Ctrl and Enter send, too">
        Send
      </Button>
    </form>
  );
}
