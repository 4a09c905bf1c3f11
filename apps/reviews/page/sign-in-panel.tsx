import { Button, TextInput } from "@mantine/core";
import { useState, type FormEvent, type ReactNode, type RefObject } from "react";
import { Avatar } from "../../site/page/avatar.tsx";
import { useAction } from "../../site/page/failures.tsx";
import form from "../../site/page/form.module.css";
import { Panel } from "../../site/page/panel.tsx";
import { longestUserId } from "../limits.ts";
import { isUserId } from "../user-id.ts";
import { Account } from "./account.ts";
import classes from "./sign-in-panel.module.css";

interface SignInPanelProps {
  readonly account: Account | undefined;
  /** Somebody tried what needs a name. */
  readonly isWanted: boolean;
  readonly nameField: RefObject<HTMLInputElement | null>;
  onChange(account: Account | undefined): void;
}

export function SignInPanel({ account, isWanted, nameField, onChange }: SignInPanelProps): ReactNode {
  return (
    <Panel title={account ? "Signed in" : "Sign in"}>
      {account ? (
        <div className={classes.who}>
          <Avatar name={account.userId} />
          <bdi className={classes.name} data-testid="user">
            {account.userId}
          </bdi>
          <Button variant="default" size="compact-sm" onClick={() => onChange(undefined)}>
            Sign out
          </Button>
        </div>
      ) : (
        <SignInForm isWanted={isWanted} nameField={nameField} onSignedIn={onChange} />
      )}
    </Panel>
  );
}

interface SignInFormProps {
  readonly isWanted: boolean;
  readonly nameField: RefObject<HTMLInputElement | null>;
  onSignedIn(account: Account): void;
}

function SignInForm({ isWanted, nameField, onSignedIn }: SignInFormProps): ReactNode {
  const [name, setName] = useState("");
  const [problem, setProblem] = useState<string>();
  const action = useAction();

  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (action.isUnderWay) return;
    // As one would write it anyway.
    const userId = name.trim().replaceAll(/\s+/g, "_");
    if (!isUserId(userId)) {
      setProblem(userId === "" ? "Say who you are." : "Use letters, digits, _ . and -");
      nameField.current?.focus();
      return;
    }
    action.run(async () => {
      const account = new Account(userId);
      await account.renew();
      onSignedIn(account);
    });
  };

  return (
    <>
      <form onSubmit={submit} noValidate className={form.line}>
        <TextInput
          ref={nameField}
          label="Your name"
          classNames={{ label: form.label ?? "" }}
          placeholder="user_1"
          value={name}
          error={problem ?? (isWanted ? "Sign in first." : undefined)}
          maxLength={longestUserId}
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          enterKeyHint="go"
          onChange={(event) => {
            setName(event.currentTarget.value);
            setProblem(undefined);
          }}
        />
        <Button type="submit" aria-disabled={action.isUnderWay}>
          Sign in
        </Button>
      </form>
      <p className={classes.note}>Any name will do, without a password. You get a token that lets you hear your own notifications only.</p>
    </>
  );
}
