import type { ReactNode } from "react";
import { texts } from "../texts.ts";
import classes from "./health-view.module.css";

/** What is known of a store; a dash while nobody knows. */
export function Fact({ label, value }: { readonly label: string; readonly value: ReactNode | null }): ReactNode {
  return (
    <div className={classes.fact}>
      <dt>{label}</dt>
      <dd>{value ?? <span aria-label={texts.notKnown}>–</span>}</dd>
    </div>
  );
}
