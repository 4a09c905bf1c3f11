import { useRef, useState, type ChangeEvent, type FormEvent, type KeyboardEvent, type RefObject } from "react";
import { useAction } from "../../site/page/failures.tsx";
import { longestContent } from "../limits.ts";
import type { Account } from "./account.ts";

interface ComposerParts<Posted> {
  /** Undefined after having asked for a sign-in. */
  requireAccount(): Account | undefined;
  post(account: Account, content: string): Promise<Posted>;
  onPosted(posted: Posted): void;
}

/** A text that somebody writes and posts. */
interface Composer {
  readonly content: string;
  readonly isUnderWay: boolean;
  submit(event: FormEvent): void;
  /** Of the text's field. */
  readonly field: {
    readonly ref: RefObject<HTMLTextAreaElement | null>;
    readonly value: string;
    readonly error: string | undefined;
    readonly maxLength: number;
    onKeyDown(event: KeyboardEvent): void;
    onChange(event: ChangeEvent<HTMLTextAreaElement>): void;
  };
}

export function useComposer<Posted>({ requireAccount, post, onPosted }: ComposerParts<Posted>): Composer {
  const [content, setContent] = useState("");
  const [problem, setProblem] = useState<string>();
  const ref = useRef<HTMLTextAreaElement>(null);
  const action = useAction();

  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (action.isUnderWay) return;
    if (content.trim() === "") {
      setProblem("Write something first.");
      ref.current?.focus();
      return;
    }
    const account = requireAccount();
    if (!account) return;
    action.run(async () => {
      const posted = await post(account, content.trim());
      setContent("");
      onPosted(posted);
    });
  };

  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit(event);
  };

  const onChange = (event: ChangeEvent<HTMLTextAreaElement>): void => {
    setContent(event.currentTarget.value);
    setProblem(undefined);
  };

  const field = { ref, value: content, error: problem, maxLength: longestContent, onKeyDown, onChange };
  return { content, isUnderWay: action.isUnderWay, submit, field };
}
