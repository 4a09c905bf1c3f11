import { VisuallyHidden } from "@mantine/core";
import { useState, type ReactNode } from "react";
import { countOf } from "../../site/page/format.ts";
import type { FeedView } from "./feeds.ts";
import { newestIdOf } from "./timeline.ts";

interface AnnouncementsProps {
  readonly views: ReadonlyMap<string, FeedView>;
  /** What this page's visitor goes by: one knows what one has posted. */
  readonly author: string;
}

/** Says to screen readers what has arrived in channels that were open before. */
export function Announcements({ views, author }: AnnouncementsProps): ReactNode {
  const [seen, setSeen] = useState(views);
  const [said, setSaid] = useState("");
  if (views !== seen) {
    setSeen(views);
    const news = [...views].flatMap(([channel, view]) => newsOf(channel, { before: seen.get(channel), view, author }));
    if (news.length > 0) setSaid(news.join(" "));
  }
  return (
    <VisuallyHidden role="status" aria-live="polite">
      {said}
    </VisuallyHidden>
  );
}

interface Change {
  readonly before: FeedView | undefined;
  readonly view: FeedView;
  readonly author: string;
}

function newsOf(channel: string, { before, view, author }: Change): string[] {
  if (before?.state !== "live") return [];
  const last = newestIdOf(before.timeline);
  const posts = view.timeline.posts.filter((post) => post.postId > last && post.author !== author);
  const [newest] = posts;
  if (!newest) return [];
  if (posts.length === 1) return [`${newest.author} in ${channel}: ${newest.content}`];
  return [`${countOf(posts.length, "new post")} in ${channel}.`];
}
