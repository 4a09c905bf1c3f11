import { Button, Tooltip, type ButtonProps } from "@mantine/core";
import { useState, type ReactNode } from "react";
import { Confirm } from "./confirm.tsx";
import { useNotices } from "./notices.tsx";
import type { Outcome } from "./outcome.ts";
import type { Question } from "./question.ts";
import { useRefusal } from "./role.ts";

interface ActButtonProps extends Pick<ButtonProps, "size" | "variant" | "leftSection" | "color"> {
  readonly label: string;
  /** Said to those who hear the page, where the label alone does not say of what. */
  readonly name?: string;
  readonly isDangerous?: boolean;
  /** Asked before; what destroys nothing needs no question. */
  readonly question?: Question;
  /** Does it, and says what became of it. */
  readonly run: () => Promise<Outcome>;
}

/** A button that does something on the server. Who may not do it sees why. */
export function ActButton({ label, name, isDangerous = false, question, run, ...look }: ActButtonProps): ReactNode {
  const [isAsking, setAsking] = useState(false);
  const [isUnderWay, setUnderWay] = useState(false);
  const { tell, fail } = useNotices();
  const act = async (): Promise<void> => {
    setUnderWay(true);
    try {
      tell(await run());
    } finally {
      setUnderWay(false);
    }
  };
  return (
    <>
      <OperatorButton
        {...look}
        label={label}
        {...(name !== undefined && { name })}
        {...(isDangerous && { color: "red" })}
        loading={isUnderWay && !isAsking}
        onClick={() => (question ? setAsking(true) : void act().catch(fail))}
      />
      {question && (
        <Confirm
          isOpen={isAsking}
          question={question}
          isDangerous={isDangerous}
          isUnderWay={isUnderWay}
          act={act}
          onClose={() => setAsking(false)}
        />
      )}
    </>
  );
}

interface OperatorButtonProps extends Pick<ButtonProps, "size" | "variant" | "leftSection" | "color" | "loading"> {
  readonly label: string;
  readonly name?: string;
  readonly onClick: () => void;
}

/** Looks disabled to a viewer, but can be reached, so that the reason can be read. */
export function OperatorButton({ label, name, onClick, variant = "default", ...look }: OperatorButtonProps): ReactNode {
  const refusal = useRefusal();
  const isRefused = refusal !== undefined;
  return (
    <Tooltip label={refusal ?? ""} disabled={!isRefused} events={{ hover: true, focus: true, touch: true }} multiline maw={280}>
      <Button
        variant={variant}
        {...(look.color === "red" && { c: "var(--kl-danger)" })}
        {...look}
        aria-label={name}
        aria-disabled={isRefused || undefined}
        aria-description={refusal}
        {...(isRefused && { "data-disabled": true })}
        onClick={isRefused ? (event) => event.preventDefault() : onClick}
      >
        {label}
      </Button>
    </Tooltip>
  );
}
