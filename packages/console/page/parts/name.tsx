import type { ReactNode } from "react";

/** The name of a group or a key, which a column may cut. */
export function Name({ text }: { readonly text: string | null }): ReactNode {
  return text === null ? null : <span title={text}>{text}</span>;
}
