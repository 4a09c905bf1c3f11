import { Button, Group, Modal, Stack } from "@mantine/core";
import { useState, type FormEvent, type ReactNode } from "react";
import { messageOf } from "../server/api-failed.ts";
import { texts } from "../texts.ts";
import { Failure } from "./failure.tsx";
import type { Outcome } from "./outcome.ts";
import { useNotices } from "./notices.tsx";

interface FormDialogProps {
  readonly isOpen: boolean;
  readonly onClose: () => void;
  readonly title: string;
  readonly button: string;
  readonly isReady: boolean;
  readonly isDangerous?: boolean;
  /** Does it, and says what became of it. */
  readonly run: () => Promise<Outcome>;
  readonly children: ReactNode;
}

/** A form over the page, which stays open with the reason when it was refused. */
export function FormDialog({ isOpen, onClose, title, children, ...rest }: FormDialogProps): ReactNode {
  return (
    <Modal opened={isOpen} onClose={onClose} title={title} size="lg" closeButtonProps={{ "aria-label": texts.close }}>
      <Form {...rest} onClose={onClose}>
        {children}
      </Form>
    </Modal>
  );
}

function Form({ onClose, button, isReady, isDangerous = false, run, children }: Omit<FormDialogProps, "isOpen" | "title">): ReactNode {
  const [isUnderWay, setUnderWay] = useState(false);
  const [failure, setFailure] = useState<string>();
  const { tell } = useNotices();
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (!isReady || isUnderWay) return;
    setUnderWay(true);
    setFailure(undefined);
    run()
      .then(
        (outcome) => {
          tell(outcome);
          onClose();
        },
        (error: unknown) => setFailure(messageOf(error)),
      )
      .finally(() => setUnderWay(false));
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="md">{children}</Stack>
      <Failure text={failure} />
      <Group justify="flex-end" mt="lg" gap="sm">
        <Button variant="default" onClick={onClose}>
          {texts.acts.cancel}
        </Button>
        <Button type="submit" {...(isDangerous && { color: "red" })} loading={isUnderWay} disabled={!isReady}>
          {button}
        </Button>
      </Group>
    </form>
  );
}
