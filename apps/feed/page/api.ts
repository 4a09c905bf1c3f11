import { send } from "../../site/page/request.ts";
import type { Post } from "../post.ts";

export interface PageOfPosts {
  /** Newest first. */
  readonly posts: readonly Post[];
  /** Where to subscribe from to get all newer ones; null when Valkey did not say, undefined on pages of older posts. */
  readonly cursor?: string | null;
}

export async function listChannels(): Promise<string[]> {
  const { channels }: { channels: { name: string }[] } = await (await send("GET", "/api/feed/channels")).json();
  return channels.map(({ name }) => name);
}

export async function createChannel(name: string): Promise<void> {
  await send("POST", "/api/feed/channels", { name });
}

export async function loadPosts(
  channel: string,
  { limit, before }: { readonly limit: number; readonly before?: number | undefined },
): Promise<PageOfPosts> {
  const query = before === undefined ? `limit=${limit}` : `limit=${limit}&before=${before}`;
  return (await send("GET", `/api/feed/channels/${encodeURIComponent(channel)}/posts?${query}`)).json();
}

export async function publishPost(channel: string, post: { readonly author: string; readonly content: string }): Promise<number> {
  const response = await send("POST", `/api/feed/channels/${encodeURIComponent(channel)}/posts`, post);
  const { postId }: { postId: number } = await response.json();
  return postId;
}

/** A token for the gateway, and the server's time. */
export async function registerReader(readerId: string): Promise<{ readonly token: string; readonly at: number }> {
  return (await send("POST", "/api/feed/readers", { readerId })).json();
}
