import { Button } from "@mantine/core";
import { IconPlayerPause, IconPlayerPlay } from "@tabler/icons-react";
import { useEffect, useRef, useState, type ReactNode } from "react";
import type { MessageRow } from "../../src/api/channel.ts";
import { formatClock } from "../format/absolute-time.ts";
import { formatCount } from "../format/numbers.ts";
import { useTimeChoice, zoneOf } from "../format/time-choice.ts";
import { Card } from "../list/card.tsx";
import { Preview } from "../parts/preview.tsx";
import { useTopic } from "../server/use-live.ts";
import { texts } from "../texts.ts";
import classes from "./channel-view.module.css";

const words = texts.channel;
const mostKept = 300;

type Line = { readonly key: string; readonly message: MessageRow } | { readonly key: string; readonly skipped: number | null };

/** What is said, as it is said. It follows its end unless the reader has gone up or has halted it. */
export function TailCard({ channel }: { readonly channel: string }): ReactNode {
  const [lines, setLines] = useState<readonly Line[]>([]);
  const [isHalted, setHalted] = useState(false);
  const zone = zoneOf(useTimeChoice());
  const list = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  useTopic(`channel:${channel}`, {
    onTail: (tail) => {
      if (tail.kind !== "channel" || isHalted) return;
      const skipped: readonly Line[] = tail.skipped === 0 ? [] : [{ key: `${tail.at}`, skipped: tail.skipped }];
      const heard = (tail.rows as readonly MessageRow[]).map((message): Line => ({ key: message.id, message }));
      setLines((before) => [...before, ...skipped, ...heard].slice(-mostKept));
    },
  });
  useEffect(() => {
    if (isAtEnd.current) list.current?.scrollTo({ top: list.current.scrollHeight });
  }, [lines]);
  const Icon = isHalted ? IconPlayerPlay : IconPlayerPause;
  return (
    <Card
      title={words.tail}
      isFlush
      aside={
        <Button size="compact-sm" variant="default" leftSection={<Icon size={14} />} onClick={() => setHalted(!isHalted)}>
          {isHalted ? words.go : words.halt}
        </Button>
      }
    >
      <div
        ref={list}
        className={classes.tail}
        role="log"
        aria-label={words.tail}
        aria-live="off"
        // What scrolls must be reached with the keyboard.
        tabIndex={0}
        onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
          isAtEnd.current = scrollTop + clientHeight > scrollHeight - 24;
        }}
      >
        {lines.length === 0 && <div className={classes.waiting}>{isHalted ? words.halted : words.listening}</div>}
        {lines.map((line) =>
          "message" in line ? (
            <div key={line.key} className={classes.message}>
              <time className={classes.time} dateTime={new Date(line.message.at).toISOString()}>
                {formatClock(line.message.at, zone)}
              </time>
              <Preview text={line.message.payload.preview} />
            </div>
          ) : (
            <div key={line.key} className={classes.skipped}>
              {line.skipped === null ? words.skippedSome : words.skipped(formatCount(line.skipped))}
            </div>
          ),
        )}
      </div>
    </Card>
  );
}
