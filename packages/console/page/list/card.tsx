import { useId, type ReactNode } from "react";
import classes from "./card.module.css";

interface CardProps {
  readonly title: string;
  readonly aside?: ReactNode;
  /** A table goes from edge to edge. */
  readonly isFlush?: boolean;
  readonly children: ReactNode;
}

export function Card({ title, aside, isFlush = false, children }: CardProps): ReactNode {
  const id = useId();
  return (
    <section aria-labelledby={id} className={classes.card} data-flush={isFlush}>
      <div className={classes.head}>
        <h2 id={id} className={classes.title}>
          {title}
        </h2>
        {aside}
      </div>
      <div className={classes.body}>{children}</div>
    </section>
  );
}
