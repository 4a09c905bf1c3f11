import { useQueryClient, type QueryKey } from "@tanstack/react-query";
import { useEffect, useEffectEvent, useSyncExternalStore } from "react";
import type { LiveChange, LiveTail } from "../../src/api/live.ts";
import { LiveFeed, type FeedState } from "./live-feed.ts";

export const feed = new LiveFeed();

const watchFeed = (watcher: () => void): (() => void) => feed.watch(watcher);

export function useFeedState(): FeedState {
  return useSyncExternalStore(watchFeed, () => feed.state);
}

interface TopicListeners {
  readonly onChange?: (change: LiveChange) => void;
  readonly onTail?: (tail: LiveTail) => void;
  /** There may be no such thing, or none any more. */
  readonly onUnknown?: () => void;
}

/** Hears what the server tells of a topic, while there is one. */
export function useTopic(topic: string | undefined, { onChange, onTail, onUnknown }: TopicListeners): void {
  const heard = useEffectEvent((type: string, data: unknown) => {
    if (type === "change") onChange?.(data as LiveChange);
    else if (type === "tail") onTail?.(data as LiveTail);
    else onUnknown?.();
  });
  useEffect(() => {
    if (topic === undefined) return undefined;
    return feed.hear(topic, ({ type, data }) => heard(type, data));
  }, [topic]);
}

const quietMs = 2_000;

/** Reads these queries again when something changed in the topic: at once, then every two seconds at most. */
export function useRefreshed(topic: string | undefined, ...keys: readonly QueryKey[]): void {
  const client = useQueryClient();
  const refresh = useEffectEvent(() => {
    for (const queryKey of keys) void client.invalidateQueries({ queryKey });
  });
  useEffect(() => {
    if (topic === undefined) return undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isDue = false;
    const hear = (): void => {
      isDue = timer !== undefined;
      if (isDue) return;
      refresh();
      timer = setTimeout(() => {
        timer = undefined;
        if (isDue) hear();
      }, quietMs);
    };
    const stop = feed.hear(topic, hear);
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, [topic]);
}
