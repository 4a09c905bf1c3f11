import type { Gone, Timeline } from "./timeline.ts";
import type { Post } from "../post.ts";
import { ChannelFeed, type FeedState } from "./channel-feed.ts";
import type { Visit } from "./visit.ts";

export interface FeedView {
  readonly timeline: Timeline;
  readonly state: FeedState;
}

// After an absence posts come by the hundred: the page is drawn once for all that come together.
const gatherMs = 20;

/** The feeds of the channels that the page shows, and what they look like at the moment. */
export class Feeds {
  readonly #visit: Visit;
  readonly #feeds = new Map<string, ChannelFeed>();
  readonly #listeners = new Set<() => void>();
  #views: ReadonlyMap<string, FeedView> = new Map();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(visit: Visit) {
    this.#visit = visit;
    visit.live.on("state", (state) => {
      if (state === "online") for (const feed of this.#feeds.values()) feed.retry();
    });
  }

  /** For useSyncExternalStore. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** By the names of the channels. */
  readonly views = (): ReadonlyMap<string, FeedView> => this.#views;

  /** Opens what is new among these channels, and closes what is not among them. */
  show(channels: readonly string[]): void {
    const { live, attendance } = this.#visit;
    for (const [channel, feed] of this.#feeds) {
      if (channels.includes(channel)) continue;
      feed.close();
      this.#feeds.delete(channel);
    }
    for (const channel of channels) {
      if (this.#feeds.has(channel)) continue;
      this.#feeds.set(channel, new ChannelFeed(channel, { live, attendance, onChange: () => this.#changed() }));
    }
    this.#changed();
  }

  addOwn(channel: string, post: Post): void {
    this.#feeds.get(channel)?.addOwn(post);
  }

  /** Rejects with RequestFailed. */
  async loadOlder(channels: readonly string[]): Promise<void> {
    await Promise.all(channels.map(async (channel) => this.#feeds.get(channel)?.loadOlder()));
  }

  /** Rejects with RequestFailed. */
  async restore(gone: Gone): Promise<void> {
    await this.#feeds.get(gone.channel)?.restore(gone);
  }

  retry(): void {
    for (const feed of this.#feeds.values()) feed.retry();
  }

  #changed(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#views = new Map([...this.#feeds].map(([channel, { timeline, state }]) => [channel, { timeline, state }]));
      for (const listener of this.#listeners) listener();
    }, gatherMs);
  }
}
