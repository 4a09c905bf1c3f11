import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { placeBeforeNow } from "../../site/place.ts";
import { parseInput } from "../../site/problem.ts";
import { longestAuthor, longestContent } from "../limits.ts";
import type { Channels } from "./channels.ts";
import type { FeedTables } from "./feed-tables.ts";
import type { PostDesk } from "./post-desk.ts";

const isStorable = (text: string): boolean => text.isWellFormed() && !text.includes("\0");
const notStorable = "Must not contain U+0000 or half of a character";

const NewPost = z.object({
  author: z
    .string()
    .max(longestAuthor)
    .refine((text) => text.trim() !== "", "Must say who posts")
    .refine((text) => !/\p{Cc}/u.test(text), "Must be one line")
    .refine(isStorable, notStorable),
  content: z
    .string()
    .max(longestContent)
    .refine((text) => text.trim() !== "", "Must say something")
    .refine(isStorable, notStorable),
});
const ChannelName = z.object({ name: z.string() });
const integer = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,10}$/)
    .transform(Number)
    .pipe(z.int().min(min).max(max));
const PageOfPosts = z.object({ limit: integer(1, 200).default(50), before: integer(1, 2_147_483_647).optional() });

interface PostServices {
  readonly channels: Channels;
  readonly desk: PostDesk;
  readonly tables: FeedTables;
}

export function addPostRoutes(site: FastifyInstance, { channels, desk, tables }: PostServices): void {
  site.post("/api/feed/channels/:name/posts", async (request, reply) => {
    const { name } = parseInput("The name of a channel is a text", ChannelName, request.params);
    const rule = `A post has an author of 1 to ${longestAuthor} characters and a content of 1 to ${longestContent}`;
    const { author, content } = parseInput(rule, NewPost, request.body);
    const { postId } = await desk.post(await channels.require(name), { author: author.trim(), content: content.trim() });
    return reply.code(201).send({ postId });
  });

  /*
   * The newest posts and the cursor from which to subscribe to have all others. The cursor is read first: a message before it was
   * published after its commit, so its row is seen by the query that begins later; a message after it comes live. A post whose
   * commit falls between the two is in both, and has one id.
   */
  site.get("/api/feed/channels/:name/posts", async (request) => {
    const { name } = parseInput("The name of a channel is a text", ChannelName, request.params);
    const page = parseInput("limit is an integer from 1 to 200, before the number of a post", PageOfPosts, request.query);
    const channel = await channels.require(name);
    if (page.before !== undefined) return { posts: await tables.listPosts(name, page) };
    const cursor = await placeBeforeNow(channel);
    return { posts: await tables.listPosts(name, page), cursor };
  });
}
