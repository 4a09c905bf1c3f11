import type { ReactNode } from "react";
import classes from "./from-rows.module.css";

/** Says of a list that PostgreSQL alone tells of it, where that is so. */
export function FromRows({
  pages,
  text,
}: {
  readonly pages: readonly { readonly isFromRows: boolean }[] | undefined;
  readonly text: string;
}): ReactNode {
  return pages?.some(({ isFromRows }) => isFromRows) && <span className={classes.note}>{text}</span>;
}
