import { Button, Textarea } from "@mantine/core";
import { IconMessage, IconPencil } from "@tabler/icons-react";
import { useRef, useState, type CSSProperties, type FormEvent, type KeyboardEvent, type ReactNode } from "react";
import { formatAgo, formatExactly } from "../../site/page/ago.ts";
import { useAction } from "../../site/page/failures.tsx";
import { countOf } from "../../site/page/format.ts";
import { longestContent } from "../limits.ts";
import type { Review } from "../review.ts";
import type { PlacedEvent } from "../review-event.ts";
import type { Account } from "./account.ts";
import { postReaction } from "./api.ts";
import { iconOf } from "./reaction-icons.ts";
import type { ReviewList } from "./review-list.ts";
import classes from "./timeline-view.module.css";
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
  const [content, setContent] = useState("");
  const [problem, setProblem] = useState<string>();
  const field = useRef<HTMLTextAreaElement>(null);
  const action = useAction();

  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (action.isUnderWay) return;
    if (content.trim() === "") {
      setProblem("Write something first.");
      field.current?.focus();
      return;
    }
    const account = requireAccount();
    if (!account) return;
    action.run(async () => {
      const reply = { userId: account.userId, action: "response", content: content.trim() } as const;
      await account.use((token) => postReaction(reviewId, reply, token));
      setContent("");
      field.current?.focus();
    });
  };

  const submitOnKey = (event: KeyboardEvent): void => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit(event);
  };

  return (
    <form onSubmit={submit} noValidate className={classes.form}>
      <Textarea
        ref={field}
        aria-label="Your reply"
        placeholder="Reply"
        autosize
        minRows={1}
        maxRows={8}
        value={content}
        error={problem}
        maxLength={longestContent}
        onKeyDown={submitOnKey}
        onChange={(event) => {
          setContent(event.currentTarget.value);
          setProblem(undefined);
        }}
      />
      <Button type="submit" variant="default" aria-disabled={action.isUnderWay} title="Ctrl and Enter send, too">
        Send
      </Button>
    </form>
  );
}
