import { useDocumentTitle } from "@mantine/hooks";
import { Fragment, type ReactNode } from "react";
import { Link } from "wouter";
import { texts } from "../texts.ts";
import classes from "./heading.module.css";

interface HeadingProps {
  readonly title: string;
  /** Where this is, from the outside in. */
  readonly crumbs?: readonly { readonly text: string; readonly to: string }[];
  /** Beside the title: what kind of thing it is. */
  readonly tags?: ReactNode;
  /** What can be done with all of it. */
  readonly acts?: ReactNode;
  /** Names and ids, which are read letter by letter. */
  readonly isName?: boolean;
}

export function Heading({ title, crumbs = [], tags, acts, isName = false }: HeadingProps): ReactNode {
  useDocumentTitle(texts.title(title));
  return (
    <div className={classes.heading}>
      <div className={classes.text}>
        {crumbs.length > 0 && (
          <nav aria-label={texts.crumbs} className={classes.crumbs}>
            {crumbs.map(({ text, to }, index) => (
              <Fragment key={to}>
                {index > 0 && <span aria-hidden="true">/</span>}
                <Link href={to}>{text}</Link>
              </Fragment>
            ))}
          </nav>
        )}
        <div className={classes.line}>
          <h1 className={classes.title} data-name={isName}>
            {title}
          </h1>
          {tags}
        </div>
      </div>
      {acts && <div className={classes.acts}>{acts}</div>}
    </div>
  );
}
