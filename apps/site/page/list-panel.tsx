import { useId, type ReactNode } from "react";
import classes from "./list-panel.module.css";

interface ListPanelProps {
  readonly title: string;
  /** At the end of the title's line. */
  readonly aside?: ReactNode;
  readonly children: ReactNode;
}

/** A panel whose rows reach from edge to edge. */
export function ListPanel({ title, aside, children }: ListPanelProps): ReactNode {
  const id = useId();
  return (
    <section className={classes.panel} aria-labelledby={id}>
      <div className={classes.head}>
        <h2 id={id} className={classes.title}>
          {title}
        </h2>
        {aside}
      </div>
      {children}
    </section>
  );
}
