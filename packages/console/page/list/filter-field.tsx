import { TextInput } from "@mantine/core";
import { useEffect, useState, type ReactNode } from "react";

interface FilterFieldProps {
  readonly label: string;
  readonly value: string | undefined;
  readonly onChange: (value: string | undefined) => void;
  /** `/` goes there. */
  readonly isFound?: boolean;
}

/** Asks when somebody has written, not at each letter. */
export function FilterField({ label, value, onChange, isFound = false }: FilterFieldProps): ReactNode {
  const [text, setText] = useState(value ?? "");
  useEffect(() => setText(value ?? ""), [value]);
  const submit = (): void => {
    if (text !== (value ?? "")) onChange(text === "" ? undefined : text);
  };
  return (
    <TextInput
      size="sm"
      aria-label={label}
      placeholder={label}
      spellCheck={false}
      {...(isFound && { "data-find": true })}
      value={text}
      onChange={(event) => setText(event.currentTarget.value)}
      onBlur={submit}
      onKeyDown={(event) => {
        if (event.key === "Enter") submit();
      }}
    />
  );
}
