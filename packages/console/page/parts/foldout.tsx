import { useState, type ReactNode } from "react";
import classes from "./foldout.module.css";

interface FoldoutProps {
  readonly summary: ReactNode;
  readonly children: ReactNode;
}

/** One line that opens to all of it; what is not open is not drawn. */
export function Foldout({ summary, children }: FoldoutProps): ReactNode {
  const [isOpen, setOpen] = useState(false);
  return (
    <details className={classes.foldout} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary className={classes.summary} data-open>
        {summary}
      </summary>
      {isOpen && <div className={classes.content}>{children}</div>}
    </details>
  );
}
