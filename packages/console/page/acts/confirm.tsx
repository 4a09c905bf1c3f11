import { Button, Group, Modal, Text, TextInput } from "@mantine/core";
import { useState, type FormEvent, type ReactNode } from "react";
import { messageOf } from "../server/api-failed.ts";
import { texts } from "../texts.ts";
import { Failure } from "./failure.tsx";
import type { Question } from "./question.ts";

interface ConfirmProps {
  readonly isOpen: boolean;
  readonly question: Question;
  readonly isDangerous: boolean;
  readonly isUnderWay: boolean;
  readonly act: () => Promise<void>;
  readonly onClose: () => void;
}

/** Asks before something is done, and stays open with the reason when it failed. */
export function Confirm({ isOpen, onClose, ...rest }: ConfirmProps): ReactNode {
  return (
    <Modal opened={isOpen} onClose={onClose} title={rest.question.title} closeButtonProps={{ "aria-label": texts.close }} centered>
      <Asked {...rest} onClose={onClose} />
    </Modal>
  );
}

function Asked({ question, isDangerous, isUnderWay, act, onClose }: Omit<ConfirmProps, "isOpen">): ReactNode {
  const [typed, setTyped] = useState("");
  const [failure, setFailure] = useState<string>();
  const isTyped = question.typed === undefined || typed === question.typed;
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (!isTyped || isUnderWay) return;
    setFailure(undefined);
    act().then(onClose, (error: unknown) => setFailure(messageOf(error)));
  };
  return (
    <form onSubmit={submit}>
      <Text component="div" size="sm" lh={1.55}>
        {question.text}
      </Text>
      {question.typed !== undefined && (
        <TextInput
          mt="md"
          data-autofocus
          autoComplete="off"
          spellCheck={false}
          label={texts.acts.typeToConfirm(question.typed)}
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
        />
      )}
      <Failure text={failure} />
      <Group justify="flex-end" mt="lg" gap="sm">
        <Button variant="default" onClick={onClose} {...(question.typed === undefined && { "data-autofocus": true })}>
          {texts.acts.keep}
        </Button>
        <Button type="submit" {...(isDangerous && { color: "red" })} loading={isUnderWay} disabled={!isTyped}>
          {question.button}
        </Button>
      </Group>
    </form>
  );
}
