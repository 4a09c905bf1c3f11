import type pg from "pg";
import { inject } from "vitest";
import { openPool } from "../../../site/test/support/pool.ts";
import { freePort } from "../../../site/test/support/port.ts";
import { request, type Answer } from "../../../site/test/support/request.ts";
import { openFeedSite } from "./feed-site.ts";

/** A feed with a database and a key prefix of its own, on the servers that all tests share. */
export interface TestFeed {
  readonly url: string;
  readonly port: number;
  readonly name: string;
  readonly pool: pg.Pool;
  /** What the server logged as errors. */
  readonly errors: readonly string[];
  request(method: string, path: string, body?: unknown): Promise<Answer>;
  close(): Promise<void>;
}

interface FeedSettings {
  readonly moreOrigins?: readonly string[];
}

let opened = 0;

export function newFeedName(): string {
  return `feed_${process.pid}_${Date.now().toString(36)}_${opened++}`;
}

export async function openFeed(settings: FeedSettings = {}): Promise<TestFeed> {
  const errors: string[] = [];
  const name = newFeedName();
  const port = await freePort();
  const postgresUrl = inject("postgresUrl");
  const site = await openFeedSite({
    ...settings,
    name,
    port,
    postgresUrl,
    valkeyUrl: inject("valkeyUrl"),
    logError: (message) => errors.push(message),
  });
  const url = `http://127.0.0.1:${port}`;
  const pool = openPool(postgresUrl, name);
  return {
    url,
    port,
    name,
    pool,
    errors,
    request: (method, path, body) => request(`${url}${path}`, { method, body }),
    close: async () => {
      await site.close();
      await pool.end();
    },
  };
}

/** Posts one after the other; resolves with their numbers. */
export async function postAll(url: string, channel: string, contents: readonly string[]): Promise<number[]> {
  const ids: number[] = [];
  for (const content of contents) {
    const { status, body } = await request(`${url}/api/feed/channels/${channel}/posts`, {
      method: "POST",
      body: { author: "guest-1000", content },
    });
    if (status !== 201) throw new Error(`Not posted: ${status}`);
    ids.push((body as { postId: number }).postId);
  }
  return ids;
}

export async function createChannel(url: string, name: string): Promise<void> {
  const { status } = await request(`${url}/api/feed/channels`, { method: "POST", body: { name } });
  if (status !== 201) throw new Error(`No channel was made: ${status}`);
}
