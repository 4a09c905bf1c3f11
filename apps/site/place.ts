import { setTimeout as wait } from "node:timers/promises";
import type { Channel } from "keyline";

const patienceMs = 1_000;

/** The cursor of the channel's newest message; null when Valkey does not answer, as what PostgreSQL has must not depend on it. */
export async function placeBeforeNow<Data>(channel: Channel<Data>): Promise<string | null> {
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
