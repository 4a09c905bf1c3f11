import type { ReactNode } from "react";
import { Link, useLocation } from "wouter";
import { useOpenInSight } from "./open-in-sight.ts";
import classes from "./tabs.module.css";

interface Tab {
  readonly text: string;
  readonly to: string;
  readonly count?: number | null | undefined;
}

/** Links to the views of one thing: each has an address of its own. */
export function Tabs({ label, tabs }: { readonly label: string; readonly tabs: readonly Tab[] }): ReactNode {
  const [location] = useLocation();
  const nav = useOpenInSight<HTMLElement>("[aria-current]", location);
  return (
    <nav ref={nav} aria-label={label} className={classes.tabs}>
      {tabs.map(({ text, to, count }) => (
        <Link key={to} href={to} aria-current={to === location ? "page" : undefined}>
          {text}
          {typeof count === "number" && count > 0 && (
            <span className={classes.count}>{count > 99_999 ? "99,999+" : count.toLocaleString("en")}</span>
          )}
        </Link>
      ))}
    </nav>
  );
}
