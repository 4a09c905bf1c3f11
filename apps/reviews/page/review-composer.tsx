import { Button, Textarea } from "@mantine/core";
import { IconArrowRight } from "@tabler/icons-react";
import type { ReactNode } from "react";
import form from "../../site/page/form.module.css";
import { Panel } from "../../site/page/panel.tsx";
import { longestContent } from "../limits.ts";
import type { Review } from "../review.ts";
import type { Account } from "./account.ts";
import { postReview } from "./api.ts";
import { useComposer } from "./use-composer.ts";

interface ReviewComposerProps {
  /** Undefined after having asked for a sign-in. */
  requireAccount(): Account | undefined;
  onPosted(review: Pick<Review, "reviewId" | "userId" | "content">): void;
}

export function ReviewComposer({ requireAccount, onPosted }: ReviewComposerProps): ReactNode {
  const { content, isUnderWay, submit, field } = useComposer({
    requireAccount,
    post: async (account, text) => {
      const review = { userId: account.userId, content: text };
      const reviewId = await account.use((token) => postReview(review, token));
      return { reviewId, ...review };
    },
    onPosted,
  });
  const left = longestContent - content.length;
  return (
    <Panel title="Write a review">
      <form onSubmit={submit} noValidate className={form.fields}>
        <Textarea {...field} aria-label="Your review" placeholder="How was it?" size="md" autosize minRows={3} maxRows={10} />
        {left < 100 && <p className={form.left}>{left} characters left</p>}
        <Button
          type="submit"
          size="md"
          fullWidth
          rightSection={<IconArrowRight size={18} />}
          aria-disabled={isUnderWay}
          title="Ctrl and Enter post, too"
        >
          Post review
        </Button>
      </form>
    </Panel>
  );
}
