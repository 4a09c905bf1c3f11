import { IconArrowRight } from "@tabler/icons-react";
import { useId, type ReactNode } from "react";
import classes from "./shape.module.css";

interface ShapeProps {
  readonly name: string;
  /** What it is made of on Valkey. */
  readonly type: string;
  readonly what: string;
  /** The application that shows it. */
  readonly href: string;
  readonly application: string;
  /** The picture. */
  readonly children: ReactNode;
}

/** One of the three: what it is for, and what happens in it at the moment. */
export function Shape({ name, type, what, href, application, children }: ShapeProps): ReactNode {
  const id = useId();
  return (
    <section className={classes.shape} aria-labelledby={id}>
      <div className={classes.text}>
        <div className={classes.head}>
          <h2 id={id} className={classes.name}>
            {name}
          </h2>
          <span className={classes.type}>{type}</span>
        </div>
        <p className={classes.what}>{what}</p>
        <a className={classes.link} href={href}>
          {application}
          <IconArrowRight size={16} stroke={2} aria-hidden="true" />
        </a>
      </div>
      <div className={classes.picture}>{children}</div>
    </section>
  );
}
