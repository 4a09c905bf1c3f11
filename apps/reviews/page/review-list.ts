import type { Live, Message, Subscription } from "@keyline/client";
import { reviewEvents } from "../channel-names.ts";
import { noCounts, type Review } from "../review.ts";
import type { CountedEvent, PlacedEvent } from "../review-event.ts";
import { loadReviews } from "./api.ts";

type ListState = "loading" | "ready" | "failed";

export interface ReviewListView {
  /** Newest first. */
  readonly reviews: readonly Review[];
  readonly state: ListState;
  readonly hasOlder: boolean;
}

type EventListener = (event: PlacedEvent) => void;

const pageSize = 20;
const mostKept = 500;

/**
 * The reviews as the page shows them.
 *
 * 1. The newest are loaded from PostgreSQL, together with a cursor that was read before them. The subscription begins at that cursor:
 *    what is not in the tables yet comes after it. Each message has the counts themselves, not what is to be added: what comes both ways
 *    counts once.
 * 2. From then on the subscription brings what happens, over any number of connections. After a gap everything is loaded again.
 */
export class ReviewList {
  readonly #listeners = new Set<() => void>();
  readonly #eventListeners = new Set<EventListener>();
  readonly #gapListeners = new Set<() => void>();
  #view: ReviewListView = { reviews: [], state: "loading", hasOlder: false };
  /** Down to this one all reviews are here. */
  #oldest = Number.POSITIVE_INFINITY;
  #live: Live | undefined;
  #cursor: string | undefined;
  #subscription: Subscription | undefined;

  /** For useSyncExternalStore. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly view = (): ReviewListView => this.#view;

  /** Goes on over this connection; the one before is closed by its owner. */
  attach(live: Live): void {
    this.#live = live;
    if (this.#cursor === undefined) void this.load();
    else this.#listen(live, this.#cursor);
  }

  /** Calls `onEvent` for what happens from now on, and `onGap` when some of it is not to be had. */
  follow(onEvent: EventListener, onGap: () => void): () => void {
    this.#eventListeners.add(onEvent);
    this.#gapListeners.add(onGap);
    return () => {
      this.#eventListeners.delete(onEvent);
      this.#gapListeners.delete(onGap);
    };
  }

  async load(): Promise<void> {
    const live = this.#live;
    if (!live) return;
    try {
      const { reviews, cursor } = await loadReviews({ limit: pageSize });
      this.#oldest = reviews.at(-1)?.reviewId ?? 0;
      this.#set({ reviews: merge(this.#view.reviews, reviews), state: "ready", hasOlder: reviews.length === pageSize });
      // Without a cursor all that is kept: each message has the counts themselves.
      if (live === this.#live) this.#listen(live, cursor ?? "earliest");
    } catch {
      this.#set({ ...this.#view, state: this.#view.reviews.length > 0 ? "ready" : "failed" });
    }
  }

  /** After a failure. */
  retry(): void {
    if (this.#view.state !== "failed") return;
    this.#set({ ...this.#view, state: "loading" });
    void this.load();
  }

  /** Rejects with RequestFailed. */
  async loadOlder(): Promise<void> {
    const { reviews } = await loadReviews({ limit: pageSize, before: this.#oldest });
    this.#oldest = reviews.at(-1)?.reviewId ?? 0;
    this.#set({ ...this.#view, reviews: merge(this.#view.reviews, reviews), hasOlder: reviews.length === pageSize });
  }

  /** Sees to it that this review is among them. Rejects with RequestFailed. */
  async require(reviewId: number): Promise<void> {
    if (this.#view.reviews.some((review) => review.reviewId === reviewId)) return;
    const { reviews } = await loadReviews({ limit: 1, before: reviewId + 1 });
    this.#set({ ...this.#view, reviews: merge(this.#view.reviews, reviews) });
  }

  /** What this page has posted itself is there at once, and also while the connection is away. */
  addOwn(review: Pick<Review, "reviewId" | "userId" | "content">): void {
    const isKnown = this.#view.reviews.some(({ reviewId }) => reviewId === review.reviewId);
    if (isKnown) return;
    this.#set({ ...this.#view, reviews: merge(this.#view.reviews, [{ ...review, ...noCounts, postedAt: new Date().toISOString() }]) });
  }

  #listen(live: Live, since: string): void {
    void this.#subscription?.close();
    this.#cursor = since;
    this.#subscription = live.subscribe<CountedEvent>(reviewEvents, (message) => this.#take(message), {
      since,
      onGap: () => {
        for (const listener of this.#gapListeners) listener();
        void this.load();
      },
    });
  }

  #take({ data: { event, counts }, cursor }: Message<CountedEvent>): void {
    this.#cursor = cursor ?? this.#cursor;
    const { reviewId, action, userId, content, at } = event;
    const known = this.#view.reviews.find((review) => review.reviewId === reviewId);
    const isNew = action === "review" && reviewId > this.#oldest;
    if (known) this.#set({ ...this.#view, reviews: merge(this.#view.reviews, [{ ...known, ...counts }]) });
    else if (isNew)
      this.#set({ ...this.#view, reviews: merge(this.#view.reviews, [{ reviewId, userId, content, postedAt: at, ...counts }]) });
    for (const listener of this.#eventListeners) listener(event);
  }

  #set(view: ReviewListView): void {
    // A page that is open for days gives up the oldest, which PostgreSQL keeps.
    const isFull = view.reviews.length > mostKept;
    this.#view = isFull ? { ...view, reviews: view.reviews.slice(0, mostKept), hasOlder: true } : view;
    if (isFull) this.#oldest = Math.max(this.#oldest, this.#view.reviews.at(-1)?.reviewId ?? 0);
    for (const listener of this.#listeners) listener();
  }
}

/** Newest first; those that were found replace what was known of them. */
function merge(known: readonly Review[], found: readonly Review[]): Review[] {
  const all = new Map([...known, ...found].map((review) => [review.reviewId, review]));
  return [...all.values()].sort((a, b) => b.reviewId - a.reviewId);
}
