import { gateway, type ChannelExposure, type GatewayQueue, type StreamExposure } from "@keyline/gateway";
import type { FastifyInstance } from "fastify";
import type { Keyline } from "keyline";
import { errorsOnly } from "./logger.ts";
import type { Tokens } from "./tokens.ts";

interface GatewaySetup {
  /** Is closed by its owner, who registers before the gateway: what registers first closes last. */
  readonly keyline: Keyline;
  /** Finds the channels that pages may subscribe to, also those that were made a moment ago. */
  readonly findExposure: (name: string) => ChannelExposure | undefined | Promise<ChannelExposure | undefined>;
  /** Streams that pages may read. Default: none. */
  readonly streams?: readonly StreamExposure[];
  /** Queues of which `/metrics` tells: no token of this site names one, so nobody may do anything else with them. Default: none. */
  readonly queues?: readonly GatewayQueue[];
  readonly tokens: Tokens;
  /** Of the site's own pages. */
  readonly origins: readonly string[];
  readonly logError: (message: string) => void;
}

/** Registers the gateway below `/v1`, for the pages of this site. */
export async function registerGateway(
  site: FastifyInstance,
  { keyline, findExposure, streams = [], queues = [], tokens, origins, logError }: GatewaySetup,
): Promise<void> {
  await site.register(gateway, {
    keyline,
    channels: findExposure,
    streams,
    queues,
    access: { secret: tokens.secret },
    origins,
    logger: errorsOnly(logError),
  });
}
