import { useEffect, useRef, type ReactNode } from "react";
import { Link, useLocation } from "wouter";
import classes from "./tabs.module.css";

interface Tab {
  readonly text: string;
  readonly to: string;
  readonly count?: number | null | undefined;
}

/** Links to the views of one thing: each has an address of its own. */
export function Tabs({ label, tabs }: { readonly label: string; readonly tabs: readonly Tab[] }): ReactNode {
  const [location] = useLocation();
  const nav = useRef<HTMLElement>(null);
  // On a phone the one that is open may be out of sight.
  useEffect(() => {
    const open = nav.current?.querySelector<HTMLElement>("[aria-current]");
    if (open && nav.current) nav.current.scrollLeft = open.offsetLeft - (nav.current.clientWidth - open.offsetWidth) / 2;
  }, [location]);
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
