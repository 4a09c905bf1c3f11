import type { Live } from "@keyline/client";
import { IconBroadcast, IconDeviceLaptop, IconPlus } from "@tabler/icons-react";
import { Fragment, type CSSProperties, type ReactNode } from "react";
import classes from "./channel-shape.module.css";
import { Shape } from "./shape.tsx";
import { useHeard } from "./use-heard.ts";
import { usePagesOpen } from "./use-pages-open.ts";

// As many as can be told apart.
const mostShown = 4;

/** Messages of the feed's channels go to everybody who listens. */
export function ChannelShape({ live }: { readonly live: Live | undefined }): ReactNode {
  const heard = useHeard(live);
  const pages = usePagesOpen(live);
  const others = Math.min(pages, mostShown);
  const names = ["this page", ...Array.from({ length: others }, (_, index) => nameOf(index, pages))];
  const hasRoom = others < mostShown;
  const slots = names.length + (hasRoom ? 1 : 0);
  const places = Array.from({ length: slots }, (_, index) => (100 * (index + 0.5)) / slots);
  return (
    <Shape
      name="Channel"
      type="pub/sub"
      what="What is happening now, to everyone who listens; and what one has missed, to those who come back."
      href="/feed"
      application="A feed of posts"
    >
      <div className={classes.channel}>
        <svg className={classes.lines} aria-hidden="true">
          {places.map((y, index) => (
            <line key={y} x1="48" y1="50%" x2="100%" y2={`${y}%`} strokeDasharray={index < names.length ? undefined : "4 5"} />
          ))}
        </svg>
        <span className={classes.source}>
          <IconBroadcast size={26} stroke={1.75} aria-hidden="true" />
        </span>
        {names.map((name, index) => (
          <Fragment key={name}>
            {/* Made anew for each message. */}
            {heard && <span key={`m${heard.count}`} className={classes.message} style={placeOf(places[index])} aria-hidden="true" />}
            <span
              key={`l${heard?.count ?? 0}`}
              className={classes.listener}
              style={placeOf(places[index])}
              data-heard={heard !== undefined}
            >
              <IconDeviceLaptop size={16} stroke={1.75} aria-hidden="true" />
              {name}
            </span>
          </Fragment>
        ))}
        {hasRoom && (
          <a className={classes.listener} style={placeOf(places.at(-1))} data-open="true" href="/feed" target="_blank" rel="noreferrer">
            <IconPlus size={16} stroke={1.75} aria-hidden="true" />
            open another
          </a>
        )}
      </div>
      <p className={classes.heard} data-testid="heard">
        {heard ? (
          <>
            <span className={classes.name}>{heard.channel}</span>
            <span className={classes.content}>{heard.content}</span>
          </>
        ) : (
          <span className={classes.content}>Nothing was published yet.</span>
        )}
      </p>
    </Shape>
  );
}

function nameOf(index: number, pages: number): string {
  const isLast = index === mostShown - 1 && pages > mostShown;
  return isLast ? `${pages - mostShown + 1} more` : `feed page ${index + 1}`;
}

function placeOf(y: number | undefined): CSSProperties {
  return { "--y": y } as CSSProperties;
}
