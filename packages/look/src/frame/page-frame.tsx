import type { ElementType, ReactNode } from "react";
import { ColorSchemeToggle } from "./color-scheme-toggle.tsx";
import classes from "./page-frame.module.css";

interface Place {
  readonly text: string;
  readonly to: string;
  readonly isCurrent?: boolean;
}

interface FrameProps {
  readonly home: Place;
  readonly places: readonly Place[];
  readonly words: {
    readonly skip: string;
    readonly places: string;
    readonly colors: Readonly<Record<"light" | "dark", string>>;
  };
  /** What gives way where there is little room: the name of the page, of which the mark stays, or the places, which get a line of their own. */
  readonly givesWay: "name" | "places";
  /** A link of the page's router. */
  readonly link?: ElementType;
  /** In the header, before the colour scheme. */
  readonly tools: ReactNode;
  /** Between the header and the content. */
  readonly banner?: ReactNode;
  readonly children: ReactNode;
}

/** Around the content of each page: the header with the name, where one can go, and the colour scheme. */
export function PageFrame({ home, places, words, givesWay, link: Link = "a", tools, banner, children }: FrameProps): ReactNode {
  return (
    <>
      <a className={classes.skip} href="#main" onClick={skipToMain}>
        {words.skip}
      </a>
      <header className={classes.header} data-gives-way={givesWay}>
        <div className={classes.bar}>
          <Link className={classes.brand} href={home.to} aria-current={home.isCurrent ? "page" : undefined}>
            <svg viewBox="0 0 32 32" width="26" height="26" aria-hidden="true">
              <rect width="32" height="32" rx="7" fill="var(--mantine-primary-color-filled)" />
              <path d="M10 7v18M22 8l-9 8 9 8" fill="none" stroke="#fff" strokeWidth="3" strokeLinecap="round" strokeLinejoin="round" />
            </svg>
            <span className={classes.name}>{home.text}</span>
          </Link>
          <nav aria-label={words.places} className={classes.nav}>
            {places.map(({ text, to, isCurrent }) => (
              <Link key={to} href={to} aria-current={isCurrent ? "page" : undefined}>
                {text}
              </Link>
            ))}
          </nav>
          <div className={classes.end}>
            {tools}
            <ColorSchemeToggle labels={words.colors} />
          </div>
        </div>
      </header>
      {banner}
      <main id="main" className={classes.main} tabIndex={-1} data-gives-way={givesWay}>
        {children}
      </main>
    </>
  );
}

/** With a `<base>`, a link to a fragment would leave the page. */
function skipToMain(event: { preventDefault(): void }): void {
  event.preventDefault();
  document.getElementById("main")?.focus();
}
