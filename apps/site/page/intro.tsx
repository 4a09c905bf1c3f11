import type { ReactNode } from "react";
import classes from "./intro.module.css";

interface IntroProps {
  readonly title: string;
  /** One line that says what happens here. */
  readonly what: string;
  /** At the end of the line, where there is room. */
  readonly children?: ReactNode;
}

/** The head of a page. */
export function Intro({ title, what, children }: IntroProps): ReactNode {
  return (
    <div className={classes.intro}>
      <div>
        <h1 className={classes.title}>{title}</h1>
        <p className={classes.what}>{what}</p>
      </div>
      {children}
    </div>
  );
}
