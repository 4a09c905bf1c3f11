import type { Logger } from "../../runtime/logger.ts";
import type { ValkeyConnection } from "../client/connection.ts";
import type { PubSubListener } from "./subscriber.ts";

/** Subscriptions of this process: one for each pub/sub channel and pattern. */
export interface Subscriptions {
  subscribe(channel: string, listener: PubSubListener): void;
  unsubscribe(channel: string): void;
  subscribePattern(pattern: string, listener: PubSubListener): void;
  unsubscribePattern(pattern: string): void;
  /** True when a publisher must also publish for patterns by itself. */
  hasPatterns(): Promise<boolean>;
  close(): Promise<void>;
}

export interface SubscriptionsSetup {
  readonly prefix: string;
  readonly commands: ValkeyConnection;
  readonly logger: Logger;
  readonly silenceMs: number;
}
