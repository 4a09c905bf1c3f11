import { Button } from "@mantine/core";
import { IconSearch } from "@tabler/icons-react";
import { useState, type ReactNode } from "react";
import { Link, useLocation } from "wouter";
import { ColorSchemeToggle } from "../../../../apps/site/page/color-scheme-toggle.tsx";
import { paths } from "../routes.ts";
import { useMe } from "../server/queries.ts";
import { texts } from "../texts.ts";
import { AwayBanner } from "./away-banner.tsx";
import classes from "./console-frame.module.css";
import { FeedStatus } from "./feed-status.tsx";
import { GoTo } from "./go-to.tsx";
import { Help } from "./help.tsx";
import { TimesMenu } from "./times-menu.tsx";
import { useKeys } from "./use-keys.ts";

const places = [
  { text: texts.nav.overview, to: paths.overview },
  { text: texts.nav.tasks, to: paths.tasks },
  { text: texts.nav.health, to: paths.health },
  { text: texts.nav.audit, to: paths.audit() },
] as const;

/** Around all views: where one can go, whether what is shown is new, and how times and colours are shown. */
export function ConsoleFrame({ children }: { readonly children: ReactNode }): ReactNode {
  const [location, navigate] = useLocation();
  const [open, setOpen] = useState<"go-to" | "help">();
  const { data: me } = useMe();
  useKeys({ goTo: () => setOpen("go-to"), help: () => setOpen("help"), navigate });
  const close = (): void => setOpen(undefined);
  return (
    <>
      <a className={classes.skip} href="#main" onClick={skipToMain}>
        {texts.skip}
      </a>
      <header className={classes.header}>
        <div className={classes.bar}>
          <Link className={classes.brand} href={paths.overview}>
            <svg viewBox="0 0 32 32" width="26" height="26" aria-hidden="true">
              <rect width="32" height="32" rx="7" fill="var(--mantine-primary-color-filled)" />
              <path d="M10 7v18M22 8l-9 8 9 8" fill="none" stroke="#fff" strokeWidth="3" strokeLinecap="round" strokeLinejoin="round" />
            </svg>
            <span className={classes.name}>{me?.title ?? texts.brand}</span>
          </Link>
          <nav aria-label={texts.nav.label} className={classes.nav}>
            {places.map(({ text, to }) => (
              <Link key={to} href={to} aria-current={isWithin(to, location) ? "page" : undefined}>
                {text}
              </Link>
            ))}
          </nav>
          <div className={classes.end}>
            <FeedStatus />
            <Button
              className={classes.search ?? ""}
              variant="default"
              size="sm"
              leftSection={<IconSearch size={16} stroke={1.75} />}
              rightSection={<kbd className={classes.key}>/</kbd>}
              aria-label={texts.goTo.open}
              onClick={() => setOpen("go-to")}
            >
              <span className={classes.searchText}>{texts.goTo.button}</span>
            </Button>
            <TimesMenu onHelp={() => setOpen("help")} />
            <ColorSchemeToggle />
          </div>
        </div>
      </header>
      <AwayBanner />
      <main id="main" className={classes.main} tabIndex={-1}>
        {children}
      </main>
      <GoTo isOpen={open === "go-to"} onClose={close} />
      <Help isOpen={open === "help"} onClose={close} />
    </>
  );
}

/** With a `<base>`, a link to a fragment would leave the view. */
function skipToMain(event: { preventDefault(): void }): void {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

function isWithin(to: string, location: string): boolean {
  if (to !== paths.overview) return location === to;
  return location === to || /^\/(?:queues|channels|streams)\//.test(location);
}
