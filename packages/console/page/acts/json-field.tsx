import { Textarea } from "@mantine/core";
import type { ReactNode } from "react";
import { texts } from "../texts.ts";

export interface ParsedJson {
  readonly isValid: boolean;
  readonly value: unknown;
}

export function parseJson(text: string): ParsedJson {
  try {
    return { isValid: true, value: JSON.parse(text) as unknown };
  } catch {
    return { isValid: false, value: undefined };
  }
}

interface JsonFieldProps {
  readonly label: string;
  readonly text: string;
  readonly onChange: (text: string) => void;
}

export function JsonField({ label, text, onChange }: JsonFieldProps): ReactNode {
  return (
    <Textarea
      label={label}
      autosize
      minRows={5}
      maxRows={18}
      spellCheck={false}
      data-autofocus
      styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)", fontSize: 13.5 } }}
      value={text}
      error={parseJson(text).isValid ? undefined : texts.acts.noJson}
      onChange={(event) => onChange(event.currentTarget.value)}
    />
  );
}
