import type { Live } from "@keyline/client";
import { Slider } from "@mantine/core";
import { IconMessage, IconMoodSmile, IconPencil } from "@tabler/icons-react";
import { useState, type CSSProperties, type ReactNode } from "react";
import { formatAgo, useNow } from "../../site/page/ago.ts";
import type { ReviewEvent } from "../../reviews/review-event.ts";
import { Shape } from "./shape.tsx";
import classes from "./stream-shape.module.css";
import { useStream, type StreamEntry } from "./use-stream.ts";

const shown = 10;
const icons: Record<ReviewEvent["action"], typeof IconPencil> = { review: IconPencil, reaction: IconMoodSmile, response: IconMessage };

const words: Record<ReviewEvent["action"], string> = { review: "wrote", reaction: "reacted", response: "replied" };

/** The events of the reviews, and readers at their places: the table of counts, and whoever looks at this page. */
export function StreamShape({ live }: { readonly live: Live | undefined }): ReactNode {
  const { entries, counted } = useStream(live, shown);
  const now = useNow();
  // Undefined: at the end, wherever that is.
  const [chosen, setChosen] = useState<string>();
  const last = entries.length - 1;
  const found = entries.findIndex(({ id }) => id === chosen);
  // What was chosen may have gone out of the picture.
  const place = chosen === undefined ? last : Math.max(0, found);
  const countedPlace = entries.findIndex(({ id }) => id === counted);
  const entry = entries[place];
  // The newest stands at the right, however few there are.
  const first = shown - entries.length;
  return (
    <Shape
      name="Stream"
      type="stream"
      what="What has happened, kept, to be read at any time. Each reader has a place of its own."
      href="/reviews"
      application="Restaurant reviews"
    >
      <div className={classes.stream} style={{ "--shown": shown, "--first": Math.min(first, shown - 1) } as CSSProperties}>
        <div className={classes.picture}>
          <div className={classes.line} />
          <ol className={classes.events} aria-label="The newest events" data-testid="events">
            {entries.map(({ id, data }, index) => (
              <EventDot key={id} event={data} place={first + index} isHere={index === place} />
            ))}
          </ol>
          {countedPlace >= 0 && (
            <span className={classes.reader} style={placeOf(first + countedPlace)} title="The table of counts has everything up to here">
              counts
            </span>
          )}
        </div>
        <Slider
          className={classes.place ?? ""}
          thumbLabel="Your place in the stream"
          thumbValueText={entry ? sayEvent(entry.data) : ""}
          min={0}
          max={Math.max(1, last)}
          value={Math.max(0, place)}
          disabled={last < 1}
          label={null}
          size={4}
          thumbSize={18}
          onChange={(value) => setChosen(value === last ? undefined : entries[value]?.id)}
        />
      </div>
      <p className={classes.what} data-testid="event">
        {entry && <What entry={entry} now={now} />}
      </p>
    </Shape>
  );
}

interface EventDotProps {
  readonly event: ReviewEvent;
  readonly place: number;
  readonly isHere: boolean;
}

function EventDot({ event, place, isHere }: EventDotProps): ReactNode {
  const Icon = icons[event.action];
  return (
    <li className={classes.event} style={placeOf(place)} data-here={isHere} title={sayEvent(event)}>
      <Icon size={16} stroke={1.75} role="img" aria-label={sayEvent(event)} />
    </li>
  );
}

function What({ entry, now }: { readonly entry: StreamEntry; readonly now: number }): ReactNode {
  const { userId, action, content } = entry.data;
  return (
    <>
      <span className={classes.you}>you read</span>
      <span className={classes.content}>
        <bdi>{userId}</bdi> {words[action]}: {content}
      </span>
      <span className={classes.time}>{formatAgo(new Date(entry.at).toISOString(), now)}</span>
    </>
  );
}

function placeOf(place: number): CSSProperties {
  return { "--place": place } as CSSProperties;
}

function sayEvent({ userId, action, content }: ReviewEvent): string {
  return `${userId} ${words[action]}: ${content}`;
}
