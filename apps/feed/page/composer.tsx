import { Button, NativeSelect, Textarea, TextInput } from "@mantine/core";
import { IconSend } from "@tabler/icons-react";
import { useRef, useState, type FormEvent, type KeyboardEvent, type ReactNode } from "react";
import { useAction } from "../../site/page/failures.tsx";
import form from "../../site/page/form.module.css";
import { longestAuthor, longestContent } from "../limits.ts";
import type { Post } from "../post.ts";
import { publishPost } from "./api.ts";
import classes from "./composer.module.css";

interface ComposerProps {
  readonly author: string;
  onAuthor(author: string): void;
  /** Those to choose from. */
  readonly channels: readonly string[];
  readonly channel: string | undefined;
  onChannel(channel: string): void;
  onPosted(channel: string, post: Post): void;
}

export function Composer({ author, onAuthor, channels, channel, onChannel, onPosted }: ComposerProps): ReactNode {
  const [content, setContent] = useState("");
  const [name, setName] = useState(author);
  const [problem, setProblem] = useState<{ readonly content?: string; readonly name?: string }>({});
  const contentField = useRef<HTMLTextAreaElement>(null);
  const nameField = useRef<HTMLInputElement>(null);
  const action = useAction();

  const settleName = (): void => {
    if (name.trim() !== "") onAuthor(name.trim());
  };

  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (action.isUnderWay || channel === undefined) return;
    if (content.trim() === "") {
      setProblem({ content: "Write something first." });
      contentField.current?.focus();
      return;
    }
    if (name.trim() === "") {
      setProblem({ name: "Say who you are." });
      nameField.current?.focus();
      return;
    }
    const post = { author: name.trim(), content: content.trim() };
    settleName();
    action.run(async () => {
      const postId = await publishPost(channel, post);
      setContent("");
      onPosted(channel, { postId, ...post, postedAt: new Date().toISOString() });
    });
  };

  const submitOnKey = (event: KeyboardEvent): void => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit(event);
  };

  const left = longestContent - content.length;
  return (
    <section aria-label="Write a post" className={classes.composer}>
      <form onSubmit={submit} noValidate className={form.fields}>
        <Textarea
          ref={contentField}
          aria-label="Your post"
          placeholder={channel === undefined ? "Follow a channel first" : `What is new in ${channel}?`}
          size="md"
          autosize
          minRows={2}
          maxRows={10}
          value={content}
          error={problem.content}
          maxLength={longestContent}
          onKeyDown={submitOnKey}
          onChange={(event) => {
            setContent(event.currentTarget.value);
            setProblem({});
          }}
        />
        {left < 100 && <p className={form.left}>{left} characters left</p>}
        <div className={classes.line}>
          <NativeSelect
            label="Channel"
            classNames={{ label: classes.label ?? "" }}
            data={[...channels]}
            value={channel ?? ""}
            onChange={(event) => onChannel(event.currentTarget.value)}
          />
          <TextInput
            ref={nameField}
            label="Your name"
            classNames={{ label: classes.label ?? "" }}
            value={name}
            error={problem.name}
            maxLength={longestAuthor}
            autoComplete="nickname"
            onBlur={settleName}
            onChange={(event) => {
              setName(event.currentTarget.value);
              setProblem({});
            }}
          />
          <Button
            type="submit"
            rightSection={<IconSend size={16} />}
            disabled={channel === undefined}
            aria-disabled={action.isUnderWay}
            title="Ctrl and Enter post, too"
          >
            Post
          </Button>
        </div>
      </form>
    </section>
  );
}
