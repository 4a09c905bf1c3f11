import type { AppendResult, Entry, FollowOptions, KeyHistoryOptions, ReadOptions } from "keyline";
import type { Exposures } from "../access/exposure-finder.ts";

/** What the gateway needs of a stream: every `Stream` of Keyline, plain or transactional, fits. */
export interface GatewayStream {
  readonly name: string;
  append(event: never, options?: object): Promise<AppendResult>;
  read(options?: ReadOptions): AsyncIterable<Entry<unknown>>;
  follow(options?: FollowOptions): AsyncIterable<Entry<unknown>>;
  history(key: string, options?: KeyHistoryOptions): Promise<readonly Entry<unknown>[]>;
}

/** A stream, and who may do what through the gateway. */
export interface StreamExposure {
  readonly stream: GatewayStream;
  /** Who may read and follow: everybody, or tokens whose `streams.read` lists it. */
  readonly access: "public" | "token";
  /** Who may append. Default: tokens whose `streams.append` lists it. */
  readonly append?: "public" | "token" | "nobody";
}

/** All exposures, or a function that finds one: for applications that make streams while they run. Called for each request, but not for names that begin with `keyline:`, which are the gateway's own. */
export type StreamExposures = Exposures<StreamExposure>;
