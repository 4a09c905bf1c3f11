import type { FastifyInstance } from "fastify";
import { Keyline } from "keyline";
import { registerGateway } from "../../../site/gateway.ts";
import { ownOrigins } from "../../../site/own-origins.ts";
import { createSite } from "../../../site/site.ts";
import { Tokens } from "../../../site/tokens.ts";
import { registerReviews } from "../../server/reviews.ts";

export interface ReviewsSiteSettings {
  readonly valkeyUrl: string;
  readonly postgresUrl: string;
  /** Of the database, and of every key. */
  readonly name: string;
  readonly port: number;
  /** Pages that come through a proxy come from another address. */
  readonly moreOrigins?: readonly string[];
  readonly logError: (message: string) => void;
}

/** The reviews and the gateway, listening. */
export async function openReviewsSite(settings: ReviewsSiteSettings): Promise<FastifyInstance> {
  const { valkeyUrl, postgresUrl, name, port, moreOrigins = [], logError } = settings;
  const site = createSite({ logError });
  const tokens = new Tokens();
  // The gateway's own, for tickets and limits.
  const keyline = new Keyline({ valkey: valkeyUrl, prefix: name });
  site.addHook("onClose", () => keyline.close());
  const { findExposure, streams } = await registerReviews(site, {
    valkeyUrl,
    postgresUrl,
    tokens,
    database: name,
    prefix: name,
    logError,
  });
  const origins = [...ownOrigins("127.0.0.1", port), ...moreOrigins];
  await registerGateway(site, { keyline, findExposure, streams, tokens, origins, logError });
  await site.listen({ host: "127.0.0.1", port });
  return site;
}
