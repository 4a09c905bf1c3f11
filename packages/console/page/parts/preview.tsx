import type { ReactNode } from "react";
import classes from "./preview.module.css";

/** The beginning of a payload, or an error, in one line. */
export function Preview({ text, isError = false }: { readonly text: string | null | undefined; readonly isError?: boolean }): ReactNode {
  if (text === null || text === undefined) return null;
  return (
    <span className={classes.preview} data-error={isError} title={text}>
      {text}
    </span>
  );
}
