import type { Post } from "../post.ts";

export interface ShownPost extends Post {
  readonly channel: string;
  /** The absence of this page during which it was published. */
  readonly missedIn: number | undefined;
}

/** A place where posts are missing: after this post, before the next newer one. */
export interface Gone {
  readonly channel: string;
  /** 0: before all that are here. */
  readonly afterPostId: number;
  readonly state: "gone" | "restoring" | "restored";
  /** How many came back. */
  readonly restored: number;
}

/** What is known of one channel. */
export interface Timeline {
  readonly channel: string;
  /** Newest first: by their numbers, which are given before the commit, so two that are posted at once may arrive the other way round. */
  readonly posts: readonly ShownPost[];
  readonly gone: readonly Gone[];
  /** There are older posts in PostgreSQL. */
  readonly hasOlder: boolean;
}

const mostKept = 1_000;

export function emptyTimeline(channel: string): Timeline {
  return { channel, posts: [], gone: [], hasOlder: false };
}

export function newestIdOf({ posts }: Timeline): number {
  return posts[0]?.postId ?? 0;
}

/** With posts that were not there before; a post is known by its number, from wherever it comes. */
export function withPosts(timeline: Timeline, found: readonly Post[], missedIn?: number): Timeline {
  const posts = new Map(timeline.posts.map((post) => [post.postId, post]));
  for (const post of found) {
    if (!posts.has(post.postId)) posts.set(post.postId, { ...post, channel: timeline.channel, missedIn });
  }
  if (posts.size === timeline.posts.length) return timeline;
  return { ...timeline, posts: [...posts.values()].sort((a, b) => b.postId - a.postId) };
}

/** With a post that has just arrived. A page that is open for days gives up the oldest, which PostgreSQL keeps. */
export function withArrival(timeline: Timeline, post: Post, missedIn: number | undefined): Timeline {
  const { posts, ...rest } = withPosts(timeline, [post], missedIn);
  if (posts.length <= mostKept) return { posts, ...rest };
  return { ...rest, posts: posts.slice(0, mostKept - mostKept / 4), hasOlder: true };
}

/** With a place after the newest post where some are missing. The same place may be announced more than once. */
export function withGap(timeline: Timeline): Timeline {
  const afterPostId = newestIdOf(timeline);
  if (timeline.gone.some((gone) => gone.afterPostId === afterPostId && gone.state === "gone")) return timeline;
  const place: Gone = { channel: timeline.channel, afterPostId, state: "gone", restored: 0 };
  return { ...timeline, gone: [...timeline.gone.filter((gone) => gone.afterPostId !== afterPostId), place] };
}

export function withGone(timeline: Timeline, changed: Gone): Timeline {
  return { ...timeline, gone: timeline.gone.map((gone) => (gone.afterPostId === changed.afterPostId ? changed : gone)) };
}
