import { Problem } from "@keyline/gateway";
import { KeylineError, type Channel, type HistoryOptions, type Keyline } from "keyline";
import { isFeedName, newsOfChannels } from "../channel-names.ts";
import { Post } from "../post.ts";
import { insertChannelRow, type ChannelRow, type FeedTables } from "./feed-tables.ts";

export type PostChannel = Channel<Post>;

interface ChannelsSetup {
  readonly keyline: Keyline;
  readonly tables: FeedTables;
  readonly history: HistoryOptions;
}

/** The feed's channels: each is a row, and the Keyline channel of the same name. None is ever deleted. */
export class Channels {
  readonly #keyline: Keyline;
  readonly #tables: FeedTables;
  readonly #history: HistoryOptions;
  readonly #open = new Map<string, PostChannel>();
  readonly #news: Channel<{ readonly name: string }>;

  constructor({ keyline, tables, history }: ChannelsSetup) {
    this.#keyline = keyline;
    this.#tables = tables;
    this.#history = history;
    this.#news = keyline.channel<{ readonly name: string }>(newsOfChannels);
  }

  get news(): Channel<{ readonly name: string }> {
    return this.#news;
  }

  /** Oldest first. */
  async list(): Promise<ChannelRow[]> {
    return this.#tables.listChannels();
  }

  /** Resolves when the channel is committed; pages that are open are told. Throws a 409 problem when there is one already. */
  async create(name: string): Promise<void> {
    await this.#keyline.transaction(async (tx) => {
      const isNew = await insertChannelRow(tx, name);
      if (!isNew) throw new Problem({ title: `There is a channel ${name} already`, status: 409, code: "CHANNEL_EXISTS" });
      await this.#news.publish({ name }, { tx });
    });
  }

  /** Looks among those of other processes too. Throws POSTGRES_UNAVAILABLE. */
  async find(name: string): Promise<PostChannel | undefined> {
    const known = this.#open.get(name);
    if (known || !isFeedName(name)) return known;
    const isThere = await this.#tables.hasChannel(name).catch((error: unknown) => {
      // With this code those who ask through the gateway try again by themselves.
      throw new KeylineError("POSTGRES_UNAVAILABLE", `Whether there is a channel ${name} cannot be found out now`, { cause: error });
    });
    return isThere ? this.open(name) : undefined;
  }

  /** Throws a 404 problem. */
  async require(name: string): Promise<PostChannel> {
    const channel = await this.find(name);
    if (channel) return channel;
    throw new Problem({ title: `There is no channel ${name}`, status: 404, code: "CHANNEL_NOT_FOUND" });
  }

  /** Of a channel that is known to have a row. */
  open(name: string): PostChannel {
    let channel = this.#open.get(name);
    if (!channel) {
      channel = this.#keyline.channel(name, { schema: Post, history: this.#history });
      this.#open.set(name, channel);
    }
    return channel;
  }
}
