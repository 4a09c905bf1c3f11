import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { TransactionClient } from "../postgres/client/options.ts";
import { KeylineError } from "../runtime/errors.ts";
import { checkFunction, checkInteger, checkOptionNames } from "../runtime/options.ts";
import { checkSchema } from "../runtime/schema.ts";
import type { HistoryRule } from "../valkey/channel/channel-log.ts";
import type { HistoryReadOptions } from "./history.ts";
import type { Gap, Message } from "./message.ts";

export interface HistoryOptions {
  /** Messages that are kept. Default 1,000. */
  readonly size?: number;
  /** Milliseconds that a message is kept. Default one day. */
  readonly ttl?: number;
}

export interface ChannelOptions<Input = unknown, Output = Input> {
  /** Checks data where it is published and where it is received; anything that implements Standard Schema. */
  readonly schema?: StandardSchemaV1<Input, Output>;
  /** Keeps messages, so that a subscriber that was away can resume. Default: none are kept. All publishers of a channel must give the same. */
  readonly history?: HistoryOptions;
  /** The largest payload as JSON. Default 1 MiB. */
  readonly maxPayloadBytes?: number;
}

export interface PublishOptions {
  /** A `pg` client inside a transaction: the message is published after its COMMIT, and never otherwise. */
  readonly tx?: TransactionClient;
}

export interface PublishResult {
  readonly id: string;
  /** Connections that Valkey handed the message to, one for each process that listens; undefined with `tx`. */
  readonly receivers: number | undefined;
  /** The message's cursor; undefined without history, and with `tx`. */
  readonly cursor: string | undefined;
}

/** What to do when a receiver is so slow that its buffer is full: see `SubscribeOptions.whenFull`. */
export type WhenFull = "close" | "drop-oldest" | "latest";

export interface PatternSubscribeOptions {
  /** Called in order, before the first message after what is missing. */
  readonly onGap?: (gap: Gap) => void;
  /** Closes the subscription when it is aborted. */
  readonly signal?: AbortSignal;
  /** Messages that wait for a receiver that is busy. Default 1,000. */
  readonly buffer?: number;
  /**
   * What happens when the buffer is full:
   * - `close` (default): the subscription ends with SLOW_RECEIVER; resume from its `cursor`;
   * - `drop-oldest`: the oldest are dropped, counted, and announced by `onGap`;
   * - `latest`: of messages with the same `key` only the newest waits; with more keys than the buffer has room for, it works as `drop-oldest`.
   */
  readonly whenFull?: WhenFull;
  /** For `latest`: messages with the same key replace each other. Default: all have the same, so that only the newest message waits. */
  readonly key?: (message: Message) => string;
}

export interface SubscribeOptions extends PatternSubscribeOptions {
  /** Only with history: replays messages after this cursor, or all that are kept ("earliest"), then goes on live. Default: live from now on. */
  readonly since?: string | undefined;
}

export interface ChannelPolicy {
  readonly history: HistoryRule | undefined;
  readonly maxPayloadBytes: number;
}

const channelOptionNames = new Set(["schema", "history", "maxPayloadBytes"]);
const historyOptionNames = new Set(["size", "ttl"]);
const subscribeOptionNames = new Set(["since", "onGap", "signal", "buffer", "whenFull", "key"]);
const publishOptionNames = new Set(["tx"]);

/** Throws INVALID_OPTION. */
export function toChannelPolicy(options: ChannelOptions): ChannelPolicy {
  checkOptionNames("channel", options, channelOptionNames);
  checkSchema(options.schema);
  const { history, maxPayloadBytes = 1_048_576 } = options;
  if (history !== undefined) checkOptionNames("history", history, historyOptionNames);
  return {
    history: history && {
      size: checkInteger("history.size", history.size ?? 1_000, { min: 1, max: 1_000_000 }),
      ttlMs: checkInteger("history.ttl", history.ttl ?? 86_400_000, { min: 1, max: 31_536_000_000 }),
    },
    maxPayloadBytes: checkInteger("maxPayloadBytes", maxPayloadBytes, { min: 1, max: 512 * 1_048_576 }),
  };
}

const policies = ["close", "drop-oldest", "latest"];

/** Throws INVALID_OPTION. */
export function checkSubscribeOptions({ buffer = 1_000, whenFull = "close" }: PatternSubscribeOptions): {
  buffer: number;
  whenFull: WhenFull;
} {
  checkInteger("buffer", buffer, { min: 1, max: 10_000_000 });
  if (!policies.includes(whenFull)) {
    throw new KeylineError("INVALID_OPTION", `whenFull must be one of ${policies.join(", ")}, not ${JSON.stringify(whenFull)}`);
  }
  return { buffer, whenFull };
}

/** Throws INVALID_OPTION. */
export function checkPublishOptions(options: PublishOptions): void {
  checkOptionNames("publish", options, publishOptionNames);
}

const historyReadNames = new Set<string>(["limit", "since", "before"] satisfies (keyof HistoryReadOptions)[]);

/** Throws INVALID_OPTION. */
export function checkHistoryReadOptions(options: HistoryReadOptions): void {
  checkOptionNames("history", options, historyReadNames);
  if (options.since !== undefined && options.before !== undefined) {
    throw new KeylineError("INVALID_OPTION", "history reads on from since, or back from before: give one of the two");
  }
}

/** Throws INVALID_OPTION. */
export function checkSubscribeOptionNames(options: SubscribeOptions): void {
  checkOptionNames("subscribe", options, subscribeOptionNames);
  if (options.onGap !== undefined) checkFunction("onGap", options.onGap);
}
