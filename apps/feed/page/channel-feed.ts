import type { Live, Message, Subscription } from "@keyline/client";
import type { Post } from "../post.ts";
import { loadPosts } from "./api.ts";
import type { Attendance } from "../../site/page/attendance.ts";
import { emptyTimeline, newestIdOf, withArrival, withGap, withGone, withPosts, type Gone, type Timeline } from "./timeline.ts";

export type FeedState = "loading" | "live" | "failed";

interface ChannelFeedParts {
  readonly live: Live;
  readonly attendance: Attendance;
  onChange(): void;
}

const pageSize = 30;
const restorePageSize = 200;
const mostRestoredPages = 25;

/**
 * One channel as the page follows it.
 *
 * 1. The newest posts are loaded from PostgreSQL, together with a cursor that was read before them. The subscription begins at that cursor:
 *    what is not among the loaded posts was committed later, hence published later, hence comes after the cursor. What was
 *    committed between the two comes both ways, and has one number.
 * 2. From then on the subscription alone brings what is new, over any number of connections; it begins only once, so no connection
 *    can lose or repeat anything. What the channel's history does not hold any more is announced, and leaves a place in the timeline.
 * 3. PostgreSQL has every post: older ones are loaded when they are asked for, and so are those that are gone.
 */
export class ChannelFeed {
  readonly #parts: ChannelFeedParts;
  #timeline: Timeline;
  #state: FeedState = "loading";
  #subscription: Subscription | undefined;
  #isClosed = false;

  constructor(channel: string, parts: ChannelFeedParts) {
    this.#parts = parts;
    this.#timeline = emptyTimeline(channel);
    void this.#open();
  }

  get timeline(): Timeline {
    return this.#timeline;
  }

  get state(): FeedState {
    return this.#state;
  }

  /** After a failure. */
  retry(): void {
    if (this.#state !== "failed" || this.#isClosed) return;
    this.#state = "loading";
    this.#parts.onChange();
    void this.#open();
  }

  close(): void {
    this.#isClosed = true;
    void this.#subscription?.close();
  }

  /** What this page has posted itself is there at once, and also while the connection is away. */
  addOwn(post: Post): void {
    this.#set(withArrival(this.#timeline, post, undefined));
  }

  /** Rejects with RequestFailed. */
  async loadOlder(): Promise<void> {
    const { channel, posts: known } = this.#timeline;
    const { posts } = await loadPosts(channel, { limit: pageSize, before: known.at(-1)?.postId });
    this.#set({ ...withPosts(this.#timeline, posts), hasOlder: posts.length === pageSize });
  }

  /** Brings back from PostgreSQL what the channel's history does not hold any more. Rejects with RequestFailed. */
  async restore(gone: Gone): Promise<void> {
    this.#set(withGone(this.#timeline, { ...gone, state: "restoring" }));
    const before = this.#timeline.posts.length;
    try {
      await this.#loadBack(gone.afterPostId);
      this.#set(withGone(this.#timeline, { ...gone, state: "restored", restored: this.#timeline.posts.length - before }));
    } catch (error) {
      this.#set(withGone(this.#timeline, gone));
      throw error;
    }
  }

  /** Page by page down to the post that is known. */
  async #loadBack(to: number): Promise<void> {
    const { channel, posts } = this.#timeline;
    let from = posts.findLast(({ postId }) => postId > to)?.postId;
    for (let page = 0; page < mostRestoredPages; page++) {
      const { posts: found } = await loadPosts(channel, { limit: restorePageSize, before: from });
      this.#set(
        withPosts(
          this.#timeline,
          found.filter(({ postId }) => postId > to),
        ),
      );
      from = found.at(-1)?.postId;
      if (found.length < restorePageSize || from === undefined || from <= to) return;
    }
  }

  async #open(): Promise<void> {
    const { live } = this.#parts;
    const { channel } = this.#timeline;
    try {
      const { posts, cursor } = await loadPosts(channel, { limit: pageSize });
      if (this.#isClosed) return;
      this.#addNewest(posts);
      const subscription = live.subscribe<Post>(channel, (message) => this.#take(message), {
        // Without a cursor all that is kept: what is among the loaded posts has the same numbers.
        since: cursor ?? "earliest",
        onGap: () => this.#set(withGap(this.#timeline)),
      });
      this.#subscription = subscription;
      this.#state = "live";
      void subscription.closed.then((error) => error && this.#fail());
    } catch {
      this.#fail();
    }
    this.#parts.onChange();
  }

  /** After an earlier failure there may be posts between those that are known and those that were loaded. */
  #addNewest(posts: readonly Post[]): void {
    const isFull = posts.length === pageSize;
    const isFirst = this.#timeline.posts.length === 0;
    const isApart = isFull && (posts.at(-1)?.postId ?? 0) > newestIdOf(this.#timeline);
    const timeline = isApart && !isFirst ? withGap(this.#timeline) : this.#timeline;
    this.#set({ ...withPosts(timeline, posts), hasOlder: isFirst ? isFull : timeline.hasOlder });
  }

  #take({ data, at }: Message<Post>): void {
    this.#set(withArrival(this.#timeline, data, this.#parts.attendance.absenceOf(at)));
  }

  /** The server did not answer, or the gateway refused. */
  #fail(): void {
    if (this.#isClosed) return;
    this.#state = "failed";
    this.#parts.onChange();
  }

  #set(timeline: Timeline): void {
    this.#timeline = timeline;
    this.#parts.onChange();
  }
}
