import type { Live, Message } from "@keyline/client";
import { useEffect, useState } from "react";
import { allWeather, newsOfChannels } from "../../feed/channel-names.ts";
import { listChannels } from "../../feed/page/api.ts";
import type { Post } from "../../feed/post.ts";
import type { HeardReading } from "../../feed/reading.ts";

export interface Heard {
  readonly channel: string;
  readonly content: string;
  /** How many were heard up to this one. */
  readonly count: number;
}

const mostChannels = 20;

/** The last message of the feed: of its channels, and of the weather. */
export function useHeard(live: Live | undefined): Heard | undefined {
  const [heard, setHeard] = useState<Heard>();

  useEffect(() => {
    if (!live) return undefined;
    const leaving = new AbortController();
    const { signal } = leaving;
    const note = (channel: string, content: string): void => setHeard((before) => ({ channel, content, count: (before?.count ?? 0) + 1 }));
    const followed = new Set<string>();
    const follow = async (): Promise<void> => {
      const channels = await listChannels();
      for (const channel of channels.slice(0, mostChannels)) {
        if (followed.has(channel) || signal.aborted) continue;
        followed.add(channel);
        live.subscribe<Post>(channel, ({ data }) => note(channel, `${data.author}: ${data.content}`), { signal });
      }
    };
    // When it fails, the next connection asks again.
    const refresh = (): void => void follow().catch(() => undefined);
    live.subscribe(newsOfChannels, refresh, { signal, onGap: refresh });
    live.subscribe(allWeather, ({ data }: Message<HeardReading>) => note(data.channel, sayReading(data)), { signal });
    const stop = live.on("state", (state) => state === "online" && refresh());
    return () => {
      stop();
      leaving.abort();
    };
  }, [live]);

  return heard;
}

function sayReading({ city, temperature, sky }: HeardReading): string {
  return `${city}: ${temperature.toFixed(1)} °C, ${sky} (simulated)`;
}
