import { setTimeout as wait } from "node:timers/promises";
import type { PostChannel } from "./channels.ts";

const patienceMs = 1_000;

/** The cursor of the channel's newest message; null when Valkey does not answer, as reading posts must not depend on it. */
export async function placeBeforeNow(channel: PostChannel): Promise<string | null> {
  const giveUp = new AbortController();
  const place = channel.history({ limit: 1 }).then(
    ({ cursor }) => cursor,
    () => null,
  );
  try {
    return await Promise.race([place, wait(patienceMs, null, { signal: giveUp.signal })]);
  } finally {
    giveUp.abort();
  }
}
