import { MantineProvider } from "@mantine/core";
import type { ReactNode } from "react";
import { ColorSchemeToggle } from "./color-scheme-toggle.tsx";
import classes from "./frame.module.css";
import { resolveVariables, theme } from "./theme.ts";

interface FrameProps {
  /** The application that this page belongs to: one of the navigation's, or `Start`. */
  readonly current: string;
  /** Beside the toggle, such as whether the page is connected. */
  readonly status: ReactNode;
  readonly children: ReactNode;
}

const applications = [
  { name: "Shop", path: "/shop" },
  { name: "Feed", path: "/feed" },
  { name: "Reviews", path: "/reviews" },
] as const;

/** What all pages have around them: the header with the name, the way to the other applications, and the colour scheme. */
export function Frame({ current, status, children }: FrameProps): ReactNode {
  return (
    <MantineProvider theme={theme} cssVariablesResolver={resolveVariables} defaultColorScheme="auto">
      <a className={classes.skip} href="#main">
        Skip to the content
      </a>
      <header className={classes.header}>
        <div className={classes.bar}>
          <a className={classes.brand} href="/" aria-current={current === "Start" ? "page" : undefined}>
            <svg viewBox="0 0 32 32" width="26" height="26" aria-hidden="true">
              <rect width="32" height="32" rx="7" fill="var(--mantine-primary-color-filled)" />
              <path d="M10 7v18M22 8l-9 8 9 8" fill="none" stroke="#fff" strokeWidth="3" strokeLinecap="round" strokeLinejoin="round" />
            </svg>
            <span className={classes.name}>Keyline</span>
          </a>
          <nav aria-label="Applications" className={classes.nav}>
            {applications.map(({ name, path }) => (
              <a key={path} href={path} aria-current={name === current ? "page" : undefined}>
                {name}
              </a>
            ))}
          </nav>
          <div className={classes.end}>
            {status}
            <ColorSchemeToggle />
          </div>
        </div>
      </header>
      <main id="main" className={classes.main} tabIndex={-1}>
        {children}
      </main>
    </MantineProvider>
  );
}
