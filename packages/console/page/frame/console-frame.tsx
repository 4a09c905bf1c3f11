import { PageFrame } from "@keyline/look";
import { Button } from "@mantine/core";
import { IconSearch } from "@tabler/icons-react";
import { useState, type ReactNode } from "react";
import { Link, useLocation } from "wouter";
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
  const tools = (
    <>
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
    </>
  );
  return (
    <>
      <PageFrame
        link={Link}
        home={{ text: me?.title ?? texts.brand, to: paths.overview }}
        places={places.map((place) => ({ ...place, isCurrent: isWithin(place.to, location) }))}
        words={{ skip: texts.skip, places: texts.nav.label, colors: texts.colors }}
        givesWay="places"
        tools={tools}
        banner={<AwayBanner />}
      >
        {children}
      </PageFrame>
      <GoTo isOpen={open === "go-to"} onClose={close} />
      <Help isOpen={open === "help"} onClose={close} />
    </>
  );
}

function isWithin(to: string, location: string): boolean {
  if (to !== paths.overview) return location === to;
  return location === to || /^\/(?:queues|channels|streams)\//.test(location);
}
