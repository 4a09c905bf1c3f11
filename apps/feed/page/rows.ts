import type { Gone, ShownPost, Timeline } from "./timeline.ts";

/** A line of the page. The dividers stand between the posts that were there before and those that came after. */
export type Row =
  | { readonly kind: "post"; readonly key: string; readonly post: ShownPost }
  | { readonly kind: "missed"; readonly key: string; readonly count: number }
  | { readonly kind: "gone"; readonly key: string; readonly gone: Gone };

export interface Rows {
  /** Newest first. */
  readonly rows: readonly Row[];
  /** Posts that are newer than those to be shown. */
  readonly held: number;
  /** The channels of which older posts have to be loaded to go on. */
  readonly unfinished: readonly string[];
}

/** One list of the posts of several channels; `newest` keeps back those that came after that post. */
export function rowsOf(timelines: readonly Timeline[], newest = Number.POSITIVE_INFINITY): Rows {
  const horizon = Math.max(0, ...timelines.filter(({ hasOlder }) => hasOlder).map(oldestIdOf));
  const unfinished = timelines.filter((timeline) => timeline.hasOlder && oldestIdOf(timeline) === horizon);
  const posts = timelines
    .flatMap((timeline) => timeline.posts)
    .filter(({ postId }) => postId >= horizon)
    .sort((a, b) => b.postId - a.postId);
  const shown = posts.filter(({ postId }) => postId <= newest);
  const gone = timelines.flatMap((timeline) => timeline.gone).filter(({ afterPostId }) => afterPostId >= horizon && afterPostId <= newest);
  return {
    rows: withDividers(shown, gone),
    held: posts.length - shown.length,
    unfinished: unfinished.map(({ channel }) => channel),
  };
}

function withDividers(posts: readonly ShownPost[], gone: readonly Gone[]): Row[] {
  const placed = [
    ...posts.map((post) => ({ at: post.postId, row: { kind: "post", key: `post ${post.postId}`, post } as const })),
    ...gone.map((place) => ({
      at: place.afterPostId + 0.25,
      row: { kind: "gone", key: `gone ${place.channel} ${place.afterPostId}`, gone: place } as const,
    })),
    ...[...Map.groupBy(posts, ({ missedIn }) => missedIn)].flatMap(([absence, missed]) => {
      const first = missed.at(-1);
      if (absence === undefined || !first) return [];
      return { at: first.postId - 0.25, row: { kind: "missed", key: `missed ${absence}`, count: missed.length } as const };
    }),
  ];
  return placed.sort((a, b) => b.at - a.at).map(({ row }) => row);
}

/** A channel without a post that has older ones is all unknown. */
function oldestIdOf({ posts }: Timeline): number {
  return posts.at(-1)?.postId ?? Number.POSITIVE_INFINITY;
}
