import type { ChannelExposure } from "../channels/exposures.ts";
import { Problem } from "../server/problem.ts";
import { Feed } from "./feed.ts";
import type { Wire } from "./wire.ts";

const patienceMs = 5_000;
const ticksUntilAbandoned = 10;

/** The feeds that somebody listens to: one for each list of channels and form. */
export class Feeds {
  readonly #feeds = new Map<string, Feed>();
  #deliveriesOfClosed = 0;

  get deliveries(): number {
    let sum = this.#deliveriesOfClosed;
    for (const feed of this.#feeds.values()) sum += feed.deliveries;
    return sum;
  }

  /** The feed, which has begun. Throws a 503 problem when Valkey does not confirm the subscription in time. */
  async open(channels: readonly ChannelExposure["channel"][], wire: Wire): Promise<Feed> {
    const key = `${wire.key}:${channels.map((channel) => channel.name).join(",")}`;
    const known = this.#feeds.get(key);
    if (known?.isOver) this.#drop(key, known);
    const feed = known && !known.isOver ? known : new Feed(channels, wire);
    this.#feeds.set(key, feed);
    feed.expect();
    // Of thousands that come back at once, all but the first find it there.
    if (!feed.hasBegun) await withinPatience(feed.ready);
    return feed;
  }

  /** Called once a second. */
  readonly sweep = (): void => {
    for (const [key, feed] of this.#feeds) {
      if (feed.isAbandoned(ticksUntilAbandoned)) this.#drop(key, feed);
    }
  };

  close(): void {
    for (const [key, feed] of this.#feeds) this.#drop(key, feed);
  }

  #drop(key: string, feed: Feed): void {
    this.#feeds.delete(key);
    this.#deliveriesOfClosed += feed.deliveries;
    feed.close();
  }
}

async function withinPatience(ready: Promise<void>): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const tooLate = (): void => {
    reject(new Problem({ title: "Valkey does not answer", status: 503, code: "VALKEY_UNAVAILABLE" }, 1));
  };
  const timer = setTimeout(tooLate, patienceMs);
  try {
    await Promise.race([ready, promise]);
  } finally {
    clearTimeout(timer);
  }
}
