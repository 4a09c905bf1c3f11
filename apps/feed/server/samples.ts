import type { Keyline } from "keyline";
import type { Channels } from "./channels.ts";
import { insertChannelRow, insertPostRow, lockForFilling, type NewPost } from "./feed-tables.ts";

const channelNames = ["tech_news", "databases", "try_this", "off_topic"];

const posts: readonly NewPost[] = [
  {
    channel: "off_topic",
    author: "guest-2950",
    content: "Nobody follows this channel at first. Follow it, and what is posted here appears among the rest.",
  },
  {
    channel: "tech_news",
    author: "guest-1307",
    content: "PUBLISH answers how many were listening. Zero is no error: pub/sub tells those who are there, and forgets.",
  },
  {
    channel: "databases",
    author: "guest-2950",
    content: "A post here is a row in PostgreSQL and a message on Valkey. Both come with one commit, or neither does.",
  },
  {
    channel: "tech_news",
    author: "guest-4821",
    content: "A channel with history keeps its last messages, so that a page that was away can ask for what it missed.",
  },
  {
    channel: "databases",
    author: "guest-1307",
    content:
      "Every message has a cursor. Who comes back with the last one gets what came after it: each once, in order, or is told what is gone.",
  },
  {
    channel: "try_this",
    author: "guest-4821",
    content:
      "Take a window off the network, post something in another one, and come back: it is there, above a line that says how much you missed.",
  },
  {
    channel: "try_this",
    author: "guest-4821",
    content: "Open this page in a second window and post something there. It appears here as it happens.",
  },
];

/** Fills an empty database with something to read. */
export async function addSamples(keyline: Keyline, channels: Channels): Promise<void> {
  await keyline.transaction(async (tx) => {
    const { isEmpty } = await lockForFilling(tx);
    if (!isEmpty) return;
    for (const name of channelNames) await insertChannelRow(tx, name);
    for (const post of posts) {
      await channels.open(post.channel).publish(await insertPostRow(tx, post), { tx });
    }
  });
}
