import type { Keyline } from "keyline";
import type { Post } from "../post.ts";
import type { PostChannel } from "./channels.ts";
import { insertPostRow, type NewPost } from "./feed-tables.ts";

/** Takes posts: each is a row and a message, and both come with one commit or neither does. */
export class PostDesk {
  readonly #keyline: Keyline;

  constructor(keyline: Keyline) {
    this.#keyline = keyline;
  }

  async post(channel: PostChannel, { author, content }: Omit<NewPost, "channel">): Promise<Post> {
    return this.#keyline.transaction(async (tx) => {
      const post = await insertPostRow(tx, { channel: channel.name, author, content });
      await channel.publish(post, { tx });
      return post;
    });
  }
}
