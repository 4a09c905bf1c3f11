import type { ReactNode } from "react";
import classes from "./beside.module.css";

interface BesideProps {
  /** What belongs to the rest: beside it, or below it where there is no room. */
  readonly side: ReactNode;
  readonly children: ReactNode;
}

/** Cards in two columns: what matters most has the wider one. */
export function Beside({ side, children }: BesideProps): ReactNode {
  return (
    <div className={classes.columns}>
      <div className={classes.column}>{children}</div>
      <div className={classes.column}>{side}</div>
    </div>
  );
}
