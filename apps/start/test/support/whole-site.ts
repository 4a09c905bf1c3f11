import { inject } from "vitest";
import { registerFeed } from "../../../feed/server/feed.ts";
import { registerReviews } from "../../../reviews/server/reviews.ts";
import { registerShop } from "../../../shop/server/shop.ts";
import { registerGateway } from "../../../site/gateway.ts";
import { ownOrigins } from "../../../site/own-origins.ts";
import { createSite } from "../../../site/site.ts";
import { freePort } from "../../../site/test/support/port.ts";
import { request } from "../../../site/test/support/request.ts";
import { Tokens } from "../../../site/tokens.ts";
import { registerStart } from "../../server/start.ts";

/** All applications and the start page on one origin, with databases and a key prefix of their own. */
export interface WholeSite {
  readonly url: string;
  /** What the server logged as errors. */
  readonly errors: readonly string[];
  /** Throws when it is not answered with 201 or 202. */
  post(path: string, body: unknown): Promise<unknown>;
  close(): Promise<void>;
}

export async function openWholeSite(): Promise<WholeSite> {
  const errors: string[] = [];
  const logError = (message: string): number => errors.push(message);
  const name = `start_${process.pid}_${Date.now().toString(36)}`;
  const port = await freePort();
  const site = createSite({ logError });
  const tokens = new Tokens();
  const stores = { valkeyUrl: inject("valkeyUrl"), postgresUrl: inject("postgresUrl"), prefix: name, logError };
  await registerShop(site, { ...stores, database: `${name}_sales`, workers: 1 });
  // Nothing but what a test publishes.
  const feed = await registerFeed(site, { ...stores, database: `${name}_feed`, tokens, weatherEveryMs: 3_600_000 });
  const reviews = await registerReviews(site, { ...stores, database: `${name}_reviews`, tokens });
  await registerGateway(site, {
    keyline: feed.keyline,
    findExposure: (channel) => reviews.findExposure(channel) ?? feed.findExposure(channel),
    streams: reviews.streams,
    tokens,
    origins: ownOrigins("127.0.0.1", port),
    logError,
  });
  await registerStart(site);
  await site.listen({ host: "127.0.0.1", port });
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    errors,
    post: async (path, body) => {
      const answer = await request(`${url}${path}`, { method: "POST", body });
      if (answer.status !== 201 && answer.status !== 202) throw new Error(`Answered with ${answer.status}: ${JSON.stringify(answer.body)}`);
      return answer.body;
    },
    close: () => site.close(),
  };
}
