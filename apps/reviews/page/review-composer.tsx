import { Button, Textarea } from "@mantine/core";
import { IconArrowRight } from "@tabler/icons-react";
import { useRef, useState, type FormEvent, type KeyboardEvent, type ReactNode } from "react";
import { useAction } from "../../site/page/failures.tsx";
import { Panel } from "../../site/page/panel.tsx";
import { longestContent } from "../limits.ts";
import type { Review } from "../review.ts";
import type { Account } from "./account.ts";
import { postReview } from "./api.ts";
import classes from "./review-composer.module.css";

interface ReviewComposerProps {
  /** Undefined after having asked for a sign-in. */
  requireAccount(): Account | undefined;
  onPosted(review: Pick<Review, "reviewId" | "userId" | "content">): void;
}

export function ReviewComposer({ requireAccount, onPosted }: ReviewComposerProps): ReactNode {
  const [content, setContent] = useState("");
  const [problem, setProblem] = useState<string>();
  const field = useRef<HTMLTextAreaElement>(null);
  const action = useAction();

  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (action.isUnderWay) return;
    if (content.trim() === "") {
      setProblem("Write something first.");
      field.current?.focus();
      return;
    }
    const account = requireAccount();
    if (!account) return;
    const review = { userId: account.userId, content: content.trim() };
    action.run(async () => {
      const reviewId = await account.use((token) => postReview(review, token));
      setContent("");
      onPosted({ reviewId, ...review });
    });
  };

  const submitOnKey = (event: KeyboardEvent): void => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit(event);
  };

  const left = longestContent - content.length;
  return (
    <Panel title="Write a review">
      <form onSubmit={submit} noValidate className={classes.form}>
        <Textarea
          ref={field}
          aria-label="Your review"
          placeholder="How was it?"
          size="md"
          autosize
          minRows={3}
          maxRows={10}
          value={content}
          error={problem}
          maxLength={longestContent}
          onKeyDown={submitOnKey}
          onChange={(event) => {
            setContent(event.currentTarget.value);
            setProblem(undefined);
          }}
        />
        {left < 100 && <p className={classes.left}>{left} characters left</p>}
        <Button
          type="submit"
          size="md"
          fullWidth
          rightSection={<IconArrowRight size={18} />}
          aria-disabled={action.isUnderWay}
          title="Ctrl and Enter post, too"
        >
          Post review
        </Button>
      </form>
    </Panel>
  );
}
