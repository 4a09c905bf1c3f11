import { send } from "../../site/page/request.ts";
import type { Review } from "../review.ts";
import type { PlacedEvent } from "../review-event.ts";

export interface PageOfReviews {
  /** Newest first. */
  readonly reviews: readonly Review[];
  /** Where to subscribe from to hear everything newer; null when Valkey did not say, undefined on pages of older reviews. */
  readonly cursor?: string | null;
}

export interface SignedIn {
  readonly token: string;
  /** The server's time. */
  readonly at: number;
}

export async function signIn(userId: string): Promise<SignedIn> {
  return (await send("POST", "/api/sign-in", { userId })).json();
}

export async function loadReviews({
  limit,
  before,
}: {
  readonly limit: number;
  readonly before?: number | undefined;
}): Promise<PageOfReviews> {
  const query = before === undefined ? `limit=${limit}` : `limit=${limit}&before=${before}`;
  return (await send("GET", `/api/reviews?${query}`)).json();
}

export async function loadHistory(reviewId: number): Promise<readonly PlacedEvent[]> {
  const { events }: { events: PlacedEvent[] } = await (await send("GET", `/api/reviews/${reviewId}/history`)).json();
  return events;
}

export async function postReview(review: { readonly userId: string; readonly content: string }, token: string): Promise<number> {
  const { reviewId }: { reviewId: number } = await (await send("POST", "/api/reviews", review, token)).json();
  return reviewId;
}

export interface NewReaction {
  readonly userId: string;
  readonly action: "reaction" | "response";
  readonly content: string;
}

export async function postReaction(reviewId: number, reaction: NewReaction, token: string): Promise<void> {
  await send("POST", `/api/reviews/${reviewId}/reactions`, reaction, token);
}
