import { useId, type ReactNode } from "react";
import classes from "./panel.module.css";

interface PanelProps {
  readonly title: string;
  /** At the end of the title's line. */
  readonly aside?: ReactNode;
  /** One line that says what it shows. */
  readonly explanation?: ReactNode;
  readonly className?: string | undefined;
  readonly children: ReactNode;
}

export function Panel({ title, aside, explanation, className, children }: PanelProps): ReactNode {
  const id = useId();
  return (
    <section aria-labelledby={id} className={className ? `${classes.panel} ${className}` : classes.panel}>
      <div className={classes.head}>
        <h2 id={id} className={classes.title}>
          {title}
        </h2>
        {aside}
      </div>
      {explanation && <p className={classes.explanation}>{explanation}</p>}
      {children}
    </section>
  );
}
