import type { ReactNode } from "react";
import classes from "./failure.module.css";

/** Why what was asked for was not done. */
export function Failure({ text }: { readonly text: string | undefined }): ReactNode {
  return (
    <div role="alert" className={text === undefined ? undefined : classes.failure}>
      {text}
    </div>
  );
}
