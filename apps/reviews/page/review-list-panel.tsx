import type { ReactNode } from "react";
import { useNow } from "../../site/page/ago.ts";
import type { Connection } from "../../site/page/connection-status.tsx";
import { ListEnd } from "../../site/page/list-end.tsx";
import { ListPanel } from "../../site/page/list-panel.tsx";
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
  const reacted = useReacted(account);
  const { reviews, state, hasOlder } = view;
  return (
    <ListPanel
      title="Reviews"
      aside={
        <p className={classes.notice} role="status">
          {connection === "lost" && "Reconnecting. What happens meanwhile will be here."}
        </p>
      }
    >
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
      <ListEnd
        state={state}
        noun="reviews"
        failure="The reviews could not be loaded."
        empty={reviews.length > 0 ? undefined : "No reviews yet. Write the first one."}
        hasOlder={hasOlder}
        onRetry={() => list.retry()}
        loadOlder={() => list.loadOlder()}
      />
    </ListPanel>
  );
}
