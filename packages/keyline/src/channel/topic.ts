import type { Position } from "../valkey/channel/channel-log.ts";
import type { PubSubListener } from "../valkey/channel/subscriber.ts";
import type { Receiver } from "./receiver.ts";

/** What stands between one pub/sub channel (or pattern) and all receivers of it in this process. */
export interface Topic<Data> extends PubSubListener {
  readonly isIdle: boolean;
  /** From now on, or with history after a place. */
  attach(receiver: Receiver<Data>, since?: Position | "earliest"): void;
  detach(receiver: Receiver<Data>): void;
  /** Resolves when nothing of it runs any more. */
  stop(): Promise<void>;
}
