import { Problem } from "@keyline/gateway";
import type { Keyline } from "keyline";
import { isUserId } from "../user-id.ts";
import type { Notifications } from "./notifications.ts";
import { findReviewRow, insertReviewRow, type NewReview } from "./review-tables.ts";
import type { ReviewsStream } from "./reviews-stream.ts";

const aboutLength = 80;

export interface NewReaction {
  readonly action: "reaction" | "response";
  readonly userId: string;
  readonly content: string;
}

interface DeskParts {
  readonly keyline: Keyline;
  readonly stream: ReviewsStream;
  readonly notifications: Notifications;
}

/** Takes reviews and what others say to them. What belongs together comes with one commit, or none of it does. */
export class ReviewDesk {
  readonly #parts: DeskParts;

  constructor(parts: DeskParts) {
    this.#parts = parts;
  }

  /** A row and an event. */
  async review({ userId, content }: NewReview): Promise<number> {
    const { keyline, stream } = this.#parts;
    return keyline.transaction(async (tx) => {
      const reviewId = await insertReviewRow(tx, { userId, content });
      await stream.append({ action: "review", reviewId, userId, content }, { tx });
      return reviewId;
    });
  }

  /** An event, and a notification for the author. Throws a 404 problem. */
  async react(reviewId: number, { action, userId, content }: NewReaction): Promise<void> {
    const { keyline, stream, notifications } = this.#parts;
    await keyline.transaction(async (tx) => {
      const review = await findReviewRow(tx, reviewId);
      if (!review) throw reviewNotFound(reviewId);
      await stream.append({ action, reviewId, userId, content }, { tx });
      // The table is open to other programs: an author of theirs may have no name that could sign in here.
      if (!isUserId(review.userId)) return;
      const about = review.content.length > aboutLength ? `${review.content.slice(0, aboutLength)}…`.toWellFormed() : review.content;
      await notifications.of(review.userId).publish({ reviewId, action, userId, content, about }, { tx });
    });
  }
}

export function reviewNotFound(reviewId: number): Problem {
  return new Problem({ title: `There is no review ${reviewId}`, status: 404, code: "REVIEW_NOT_FOUND" });
}
