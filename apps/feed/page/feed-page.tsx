import { SegmentedControl } from "@mantine/core";
import { useMemo, useState, type ReactNode } from "react";
import { ConnectionStatus } from "../../site/page/connection-status.tsx";
import { Failures } from "../../site/page/failures.tsx";
import { Frame } from "../../site/page/frame.tsx";
import { Intro } from "../../site/page/intro.tsx";
import { Announcements } from "./announcements.tsx";
import { ChannelsPanel, FollowButton } from "./channels-panel.tsx";
import { Composer } from "./composer.tsx";
import classes from "./feed-page.module.css";
import { recall, remember } from "./memory.ts";
import { ReadersPanel } from "./readers-panel.tsx";
import { TimelineView } from "./timeline-view.tsx";
import { useChannels } from "./use-channels.ts";
import { useConnection } from "../../site/page/use-connection.ts";
import { useFeeds } from "./use-feeds.ts";
import { useReaders } from "./use-readers.ts";
import { useWeather } from "./use-weather.ts";
import type { Visit } from "./visit.ts";
import { WeatherPanel } from "./weather-panel.tsx";

const parts = [
  { value: "posts", label: "Posts" },
  { value: "channels", label: "Channels" },
  { value: "weather", label: "Weather" },
];

export function FeedPage({ visit }: { readonly visit: Visit }): ReactNode {
  const { live } = visit;
  const [author, setAuthor] = useState(() => recall("author") ?? `guest-${Math.floor(1_000 + 9_000 * Math.random())}`);
  const [selected, setSelected] = useState<string>();
  const [target, setTarget] = useState<string>();
  // Of a page that has room for one at a time.
  const [part, setPart] = useState("posts");
  const connection = useConnection(live);
  const list = useChannels(live);
  const readers = useReaders(visit, author);
  const weather = useWeather(live);

  const { followed } = list;
  const open = useMemo(
    () => (selected === undefined || followed.includes(selected) ? followed : [...followed, selected]),
    // Made anew for every drawing, and seldom another.
    [followed.join(" "), selected],
  );
  const { feeds, views } = useFeeds(visit, open);
  const shown = useMemo(
    () => (selected === undefined ? followed : [selected]).flatMap((channel) => views.get(channel) ?? []),
    [views, followed.join(" "), selected],
  );

  const select = (channel: string | undefined): void => {
    setSelected(channel);
    setTarget(channel);
    setPart("posts");
    scrollTo({ top: 0 });
  };
  const rename = (name: string): void => {
    remember("author", name);
    setAuthor(name);
  };

  return (
    <Frame current="Feed" status={<ConnectionStatus connection={connection} />}>
      <Failures>
        <Intro title="Channel feed" what="Posts are kept in PostgreSQL and published on Valkey channels, in one transaction." />
        <SegmentedControl
          className={classes.parts ?? ""}
          fullWidth
          aria-label="Part of the page"
          data={parts}
          value={part}
          onChange={setPart}
        />
        <div className={classes.page} data-part={part}>
          <div className={classes.channels}>
            <ChannelsPanel list={list} selected={selected} onSelect={select} />
            <ReadersPanel readers={readers} />
          </div>
          <div className={classes.posts}>
            <Composer
              author={author}
              onAuthor={rename}
              channels={open}
              channel={target !== undefined && open.includes(target) ? target : open[0]}
              onChannel={setTarget}
              onPosted={(channel, post) => feeds.addOwn(channel, post)}
            />
            <TimelineView
              key={selected ?? ""}
              title={selected === undefined ? "All you follow" : `#${selected}`}
              aside={
                selected !== undefined && (
                  <FollowButton
                    channel={selected}
                    isFollowed={followed.includes(selected)}
                    hasRoom={list.hasRoom}
                    onFollow={(isFollowed) => list.follow(selected, isFollowed)}
                  />
                )
              }
              connection={connection}
              feeds={feeds}
              views={shown}
              onChannel={selected === undefined ? select : undefined}
            />
          </div>
          <div className={classes.weather}>
            <WeatherPanel weather={weather} />
          </div>
        </div>
        <Announcements views={views} author={author} />
      </Failures>
    </Frame>
  );
}
