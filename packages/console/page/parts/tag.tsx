import type { ReactNode } from "react";
import classes from "./tag.module.css";

export type Tone = "plain" | "accent" | "ok" | "warn" | "danger";

/** A word that says what something is. The word carries the meaning, the colour only helps. */
export function Tag({ tone = "plain", children }: { readonly tone?: Tone; readonly children: ReactNode }): ReactNode {
  return (
    <span className={classes.tag} data-tone={tone}>
      {children}
    </span>
  );
}
