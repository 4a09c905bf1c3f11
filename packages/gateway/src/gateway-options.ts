import type { Keyline, Logger } from "keyline";
import type { AccessOptions } from "./access/token-verifier.ts";
import type { ChannelExposures } from "./channels/exposures.ts";
import type { GatewayLimits } from "./limits/options.ts";
import type { MetricsOptions } from "./operations/metrics-routes.ts";
import type { GatewayQueue } from "./queues/queue-access.ts";
import type { StreamExposures } from "./streams/exposures.ts";

/** What the gateway serves, and to whom. What is not named here does not exist for its clients. */
export interface GatewayOptions {
  /** It stays yours: close it after the gateway. */
  readonly keyline: Keyline;
  /** Queues: tokens that list them in their claim `queues` may add, and those that list them in `jobs.see` and `jobs.change` see and change their jobs. Default: none. */
  readonly queues?: readonly GatewayQueue[];
  /** Channels, or a function that finds one by its name. Default: none. */
  readonly channels?: ChannelExposures;
  /** Streams, or a function that finds one by its name. Default: none. */
  readonly streams?: StreamExposures;
  /** How tokens are checked. Without it everybody may do everything, and the gateway listens on loopback only. */
  readonly access?: AccessOptions;
  /** Origins of the pages that may use the gateway, such as `https://example.com`: for CORS and WebSocket. Default: none, not even its own. */
  readonly origins?: readonly string[];
  readonly limits?: Partial<GatewayLimits>;
  /** Who may read `/metrics`. Default `loopback`: requests from this machine, unless a proxy says that it passes them on. */
  readonly metrics?: MetricsOptions;
  /** Default: silent. pino's loggers fit. */
  readonly logger?: Logger;
}
