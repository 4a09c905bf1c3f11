import { Avatar } from "@mantine/core";
import { memo, type ReactNode } from "react";
import { formatAgo, formatExactly } from "./ago.ts";
import classes from "./post-card.module.css";
import type { ShownPost } from "./timeline.ts";

const letters = new Intl.Segmenter();
const colors = ["cobalt", "teal", "grape", "orange", "pink", "cyan"];

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
      <Avatar name={author} color="initials" allowedInitialsColors={colors} size={38} aria-hidden="true">
        {initialsOf(author)}
      </Avatar>
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

/** Of "Ada Lovelace" AL; of "guest-4821" 21, as all guests begin alike. */
function initialsOf(author: string): string {
  const words = author.split(/[\s_-]+/u).filter((word) => word !== "");
  const last = words.at(-1) ?? "";
  if (/^\d{2,}$/.test(last)) return last.slice(-2);
  const initials = words.length > 1 ? firstLetters(words[0], 1) + firstLetters(last, 1) : firstLetters(last, 2);
  return initials.toUpperCase();
}

function firstLetters(word: string | undefined, count: number): string {
  return Array.from(letters.segment(word ?? ""), ({ segment }) => segment)
    .slice(0, count)
    .join("");
}
