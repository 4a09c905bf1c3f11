import type { Keyline } from "keyline";
import type { Notifications } from "./notifications.ts";
import type { NewReaction } from "./review-desk.ts";
import { insertReviewRow, lockForFilling, type NewReview } from "./review-tables.ts";
import type { ReviewsStream } from "./reviews-stream.ts";

interface Sample extends NewReview {
  readonly said: readonly NewReaction[];
}

const samples: readonly Sample[] = [
  {
    userId: "user_1",
    content: "The pasta here is incredible!",
    said: [
      { userId: "user_2", action: "reaction", content: "Thumbs up" },
      { userId: "user_3", action: "response", content: "I agree! Their pasta is the best." },
    ],
  },
  {
    userId: "user_2",
    content: "Came for the soup, stayed for the bread. It was gone by eight, so come early.",
    said: [
      { userId: "user_1", action: "reaction", content: "Looks delicious" },
      { userId: "user_3", action: "reaction", content: "Thumbs up" },
      { userId: "user_1", action: "response", content: "Is there a table outside?" },
      { userId: "user_2", action: "response", content: "Two, under the plane tree." },
    ],
  },
  {
    userId: "user_3",
    content: "The waiter knew that I wanted a second dessert before I did.",
    said: [{ userId: "user_2", action: "reaction", content: "Made me laugh" }],
  },
];

interface SampleParts {
  readonly keyline: Keyline;
  readonly stream: ReviewsStream;
  readonly notifications: Notifications;
}

/** Fills an empty database with something to read. */
export async function addSamples({ keyline, stream, notifications }: SampleParts): Promise<void> {
  await keyline.transaction(async (tx) => {
    const { isEmpty } = await lockForFilling(tx);
    if (!isEmpty) return;
    for (const { said, ...review } of samples) {
      const reviewId = await insertReviewRow(tx, review);
      await stream.append({ action: "review", reviewId, ...review }, { tx });
      for (const reaction of said) {
        await stream.append({ reviewId, ...reaction }, { tx });
        if (reaction.userId === review.userId) continue;
        await notifications.of(review.userId).publish({ reviewId, ...reaction, about: review.content }, { tx });
      }
    }
  });
}
