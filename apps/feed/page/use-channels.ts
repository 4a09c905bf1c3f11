import type { Live } from "@keyline/client";
import { useCallback, useEffect, useState } from "react";
import { newsOfChannels } from "../channel-names.ts";
import { mostFollowed } from "../limits.ts";
import { listChannels } from "./api.ts";
import { recall, remember } from "./memory.ts";

const followedAtFirst = 3;

export interface ChannelList {
  /** Oldest first; undefined until they are known. */
  readonly channels: readonly string[] | undefined;
  /** In the order of the channels. */
  readonly followed: readonly string[];
  readonly hasRoom: boolean;
  follow(channel: string, isFollowed: boolean): void;
  /** Asks the server again. */
  refresh(): void;
}

/** All channels there are, as they are made, and the choice of those that this browser follows. */
export function useChannels(live: Live): ChannelList {
  const [channels, setChannels] = useState<readonly string[]>();
  const [chosen, setChosen] = useState(() => readChoice());

  const refresh = useCallback(() => {
    // When it fails, the next connection asks again.
    listChannels().then(setChannels, () => undefined);
  }, []);

  useEffect(() => {
    const subscription = live.subscribe(newsOfChannels, refresh, { onGap: refresh });
    const stop = live.on("state", (state) => state === "online" && refresh());
    refresh();
    return () => {
      void subscription.close();
      stop();
    };
  }, [live, refresh]);

  const choice = chosen ?? channels?.slice(0, followedAtFirst) ?? [];
  const followed = (channels ?? []).filter((channel) => choice.includes(channel)).slice(0, mostFollowed);
  return {
    channels,
    followed,
    hasRoom: followed.length < mostFollowed,
    follow: (channel, isFollowed) => {
      const next = [...followed.filter((name) => name !== channel), ...(isFollowed ? [channel] : [])];
      remember("followed", JSON.stringify(next));
      setChosen(next);
    },
    refresh,
  };
}

function readChoice(): string[] | undefined {
  try {
    const value: unknown = JSON.parse(recall("followed") ?? "");
    return Array.isArray(value) ? value.filter((name) => typeof name === "string") : undefined;
  } catch {
    return undefined;
  }
}
