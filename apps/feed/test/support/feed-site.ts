import type { FastifyInstance } from "fastify";
import { registerGateway } from "../../../site/gateway.ts";
import { ownOrigins } from "../../../site/own-origins.ts";
import { createSite } from "../../../site/site.ts";
import { Tokens } from "../../../site/tokens.ts";
import { registerFeed } from "../../server/feed.ts";

export interface FeedSiteSettings {
  readonly valkeyUrl: string;
  readonly postgresUrl: string;
  /** Of the database, and of every key. */
  readonly name: string;
  readonly port: number;
  /** Pages that come through a proxy come from another address. */
  readonly moreOrigins?: readonly string[];
  readonly historySize?: number;
  readonly logError: (message: string) => void;
}

/** The feed and the gateway, listening. */
export async function openFeedSite(settings: FeedSiteSettings): Promise<FastifyInstance> {
  const { valkeyUrl, postgresUrl, name, port, moreOrigins = [], historySize, logError } = settings;
  const site = createSite({ logError });
  const tokens = new Tokens();
  const { keyline, findExposure } = await registerFeed(site, {
    valkeyUrl,
    postgresUrl,
    tokens,
    database: name,
    prefix: name,
    weatherEveryMs: 200,
    ...(historySize === undefined ? {} : { historySize }),
    logError,
  });
  const origins = [...ownOrigins("127.0.0.1", port), ...moreOrigins];
  await registerGateway(site, { keyline, findExposure, tokens, origins, logError });
  await site.listen({ host: "127.0.0.1", port });
  return site;
}
