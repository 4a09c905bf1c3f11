import { memo, type ReactNode } from "react";
import { formatAgo, formatExactly } from "../../site/page/ago.ts";
import { Avatar } from "../../site/page/avatar.tsx";
import classes from "./post-card.module.css";
import type { ShownPost } from "./timeline.ts";

interface PostCardProps {
  readonly post: ShownPost;
  readonly now: number;
  /** Where posts of several channels are shown together. */
  readonly onChannel: ((channel: string) => void) | undefined;
}

export const PostCard = memo(function PostCard({ post, now, onChannel }: PostCardProps): ReactNode {
  const { author, channel, content, postedAt } = post;
  return (
    <article className={classes.post}>
      <Avatar name={author} />
      <div className={classes.body}>
        <p className={classes.head}>
          <bdi className={classes.author}>{author}</bdi>
          {onChannel && (
            <button type="button" className={classes.channel} onClick={() => onChannel(channel)}>
              #{channel}
            </button>
          )}
          <time className={classes.time} dateTime={postedAt} title={formatExactly(postedAt)}>
            {formatAgo(postedAt, now)}
          </time>
        </p>
        <p className={classes.content} dir="auto">
          {content}
        </p>
      </div>
    </article>
  );
});
