import { Button, Loader } from "@mantine/core";
import type { ReactNode } from "react";
import { useNow } from "../../site/page/ago.ts";
import type { Connection } from "../../site/page/connection-status.tsx";
import { useAction } from "../../site/page/failures.tsx";
import type { Account } from "./account.ts";
import { ReviewCard } from "./review-card.tsx";
import classes from "./review-list-panel.module.css";
import type { ReviewList, ReviewListView } from "./review-list.ts";
import { useReacted } from "./use-reacted.ts";

interface ReviewListPanelProps {
  readonly list: ReviewList;
  readonly view: ReviewListView;
  readonly connection: Connection;
  readonly account: Account | undefined;
  requireAccount(): Account | undefined;
  /** The reviews whose timeline is open. */
  readonly opened: readonly number[];
  onOpen(reviewId: number, isOpen: boolean): void;
}

export function ReviewListPanel({ list, view, connection, account, requireAccount, opened, onOpen }: ReviewListPanelProps): ReactNode {
  const now = useNow();
  const older = useAction();
  const reacted = useReacted(account);
  const { reviews, state, hasOlder } = view;
  return (
    <section className={classes.list} aria-labelledby="reviews-title">
      <div className={classes.head}>
        <h2 id="reviews-title" className={classes.title}>
          Reviews
        </h2>
        <p className={classes.notice} role="status">
          {connection === "lost" && "Reconnecting. What happens meanwhile will be here."}
        </p>
      </div>
      <ol className={classes.rows} data-testid="reviews">
        {reviews.map((review) => (
          <li key={review.reviewId} className={classes.row} data-review={review.reviewId}>
            <ReviewCard
              review={review}
              now={now}
              list={list}
              reacted={reacted}
              requireAccount={requireAccount}
              isOpen={opened.includes(review.reviewId)}
              onOpen={(isOpen) => onOpen(review.reviewId, isOpen)}
            />
          </li>
        ))}
      </ol>
      {state === "loading" && (
        <div className={classes.end}>
          <Loader size="sm" aria-label="Loading reviews" />
        </div>
      )}
      {state === "failed" && (
        <div className={classes.end} role="status">
          <span>The reviews could not be loaded.</span>
          <Button variant="default" size="xs" onClick={() => list.retry()}>
            Try again
          </Button>
        </div>
      )}
      {state === "ready" && reviews.length === 0 && <p className={classes.end}>No reviews yet. Write the first one.</p>}
      {hasOlder && (
        <div className={classes.end}>
          <Button variant="default" loading={older.isUnderWay} onClick={() => older.run(() => list.loadOlder())}>
            Show older reviews
          </Button>
        </div>
      )}
    </section>
  );
}
