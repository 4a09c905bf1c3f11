import { Tooltip } from "@mantine/core";
import type { ReactNode } from "react";
import { formatAbsolute, formatShort } from "../format/absolute-time.ts";
import { useOfNow } from "../format/clock.ts";
import { formatRelative } from "../format/relative-time.ts";
import { ownZone, useTimeChoice, zoneOf } from "../format/time-choice.ts";
import { texts } from "../texts.ts";
import classes from "./when.module.css";

interface WhenProps {
  readonly at: number;
  /** Can be reached with the keyboard by itself: not in lists, where that would be a stop in each row. */
  readonly isStop?: boolean;
}

/** A point in time: how long ago, with both clocks' time on focus and hover; or that time itself, as the reader chose. */
export function When({ at, isStop = false }: WhenProps): ReactNode {
  const choice = useTimeChoice();
  const text = useOfNow((now) => (choice === "relative" ? formatRelative(at, now) : formatShort(at, zoneOf(choice))));
  return (
    <Tooltip label={<BothClocks at={at} />} events={{ hover: true, focus: true, touch: true }} openDelay={150}>
      <time dateTime={new Date(at).toISOString()} className={classes.when} tabIndex={isStop ? 0 : undefined}>
        {text}
      </time>
    </Tooltip>
  );
}

function BothClocks({ at }: { readonly at: number }): ReactNode {
  return (
    <span className={classes.clocks}>
      <span>
        {formatAbsolute(at, undefined)} <span className={classes.zone}>{ownZone}</span>
      </span>
      <span>
        {formatAbsolute(at, "UTC")} <span className={classes.zone}>{texts.time.utc}</span>
      </span>
    </span>
  );
}
