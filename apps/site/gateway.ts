import { gateway, type ChannelDoor, type StreamDoor } from "@keyline/gateway";
import type { FastifyInstance } from "fastify";
import type { Keyline } from "keyline";
import { errorsOnly } from "./logger.ts";
import type { Tokens } from "./tokens.ts";

interface GatewaySetup {
  /** Is closed by its owner, who registers before the gateway: what registers first closes last. */
  readonly keyline: Keyline;
  /** Finds the channels that pages may subscribe to, also those that were made a moment ago. */
  readonly findDoor: (name: string) => ChannelDoor | undefined | Promise<ChannelDoor | undefined>;
  /** Streams that pages may read. Default: none. */
  readonly streams?: readonly StreamDoor[];
  readonly tokens: Tokens;
  /** Of the site's own pages. */
  readonly origins: readonly string[];
  readonly logError: (message: string) => void;
}

/** Registers the gateway below `/v1`, for the pages of this site. */
export async function registerGateway(
  site: FastifyInstance,
  { keyline, findDoor, streams = [], tokens, origins, logError }: GatewaySetup,
): Promise<void> {
  await site.register(gateway, {
    keyline,
    channels: findDoor,
    streams,
    access: { secret: tokens.secret },
    origins,
    logger: errorsOnly(logError),
  });
}
