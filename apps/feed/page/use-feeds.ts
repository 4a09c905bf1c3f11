import { useEffect, useState, useSyncExternalStore } from "react";
import { Feeds, type FeedView } from "./feeds.ts";
import type { Visit } from "./visit.ts";

interface OpenFeeds {
  readonly feeds: Feeds;
  readonly views: ReadonlyMap<string, FeedView>;
}

/** The feeds of these channels, kept up to date. */
export function useFeeds(visit: Visit, channels: readonly string[]): OpenFeeds {
  const [feeds] = useState(() => new Feeds(visit));
  const views = useSyncExternalStore(feeds.subscribe, feeds.views);
  const names = channels.join(" ");
  useEffect(() => feeds.show(names === "" ? [] : names.split(" ")), [feeds, names]);
  return { feeds, views };
}
