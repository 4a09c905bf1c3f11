import type { ReactNode } from "react";
import { Link } from "wouter";
import type { Tone } from "./tag.tsx";
import classes from "./tile.module.css";

interface TileProps {
  readonly label: string;
  readonly value: ReactNode;
  /** A line below the figure. */
  readonly detail?: ReactNode;
  /** The list behind the figure. */
  readonly to?: string;
  readonly tone?: Tone;
}

/** One figure of several in a row. */
export function Tile({ label, value, detail, to, tone = "plain" }: TileProps): ReactNode {
  const content = (
    <>
      <span className={classes.label}>{label}</span>
      <span className={classes.value}>{value}</span>
      {detail !== undefined && <span className={classes.detail}>{detail}</span>}
    </>
  );
  if (to === undefined) {
    return (
      <div className={classes.tile} data-tone={tone}>
        {content}
      </div>
    );
  }
  return (
    <Link href={to} className={classes.tile} data-tone={tone}>
      {content}
    </Link>
  );
}

export function Tiles({ children, label }: { readonly children: ReactNode; readonly label: string }): ReactNode {
  return (
    <div className={classes.tiles} role="group" aria-label={label}>
      {children}
    </div>
  );
}
