import type { Channel } from "keyline";
import type { Exposures } from "../access/exposure-finder.ts";

/** A channel, and who may do what through the gateway. */
export interface ChannelExposure {
  readonly channel: Channel<never, unknown>;
  /** Who may read: everybody, or tokens whose `channels.subscribe` lists it. */
  readonly access: "public" | "token";
  /** Who may publish. Default: tokens whose `channels.publish` lists it. */
  readonly publish?: "public" | "token" | "nobody";
  /** Whether readers may see who is there, and enter with their token's `sub`. Default false. */
  readonly presence?: boolean;
}

/** All exposures, or a function that finds one: for applications that make channels while they run. Called for each request, but not for names that begin with `keyline:`, which are the gateway's own. */
export type ChannelExposures = Exposures<ChannelExposure>;
