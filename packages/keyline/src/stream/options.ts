import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { TransactionClient } from "../postgres/client/options.ts";
import { KeylineError } from "../runtime/errors.ts";
import { checkFlag, checkFunction, checkInteger, checkOptionNames } from "../runtime/options.ts";
import { checkSchema } from "../runtime/schema.ts";
import type { Place } from "./entry-id.ts";

export interface StreamOptions<Input = unknown, Output = Input, Transactional extends boolean = boolean> {
  /** Checks data where it is appended and where it is read; anything that implements Standard Schema. */
  readonly schema?: StandardSchemaV1<Input, Output>;
  /** What an event is about: `history` finds all entries of one key, and consumer groups handle them in order. */
  key?(event: Output): string;
  /** PostgreSQL has the record of every event, and Valkey the newest ones. Default false. */
  readonly transactional?: Transactional;
  readonly retention?: Retention;
  /** How long an idempotency key is remembered, in milliseconds. Default two minutes. */
  readonly idempotencyWindow?: number;
  /** The largest payload as JSON. Default 1 MiB. */
  readonly maxPayloadBytes?: number;
}

/** How much is kept on Valkey. On a transactional stream that is the part which is read fastest; PostgreSQL has all of it. */
export interface Retention {
  /** Entries. Default: no limit; 10,000 on a transactional stream. */
  readonly maxLength?: number;
  /** Milliseconds. Default: no limit. */
  readonly maxAge?: number;
  /** Limits that also drop entries which a consumer group has not finished; the group is told what it lost. Only for plain streams. */
  readonly hard?: { readonly maxLength?: number; readonly maxAge?: number };
  /** Milliseconds after which a consumer group that was not seen no longer keeps entries from being dropped. Default one week. */
  readonly groupTimeout?: number;
  /** Milliseconds that PostgreSQL keeps events for, rounded up to weeks. Default: for ever. Only for transactional streams. */
  readonly recordMaxAge?: number;
}

export interface AppendOptions {
  /** A second append with a key that is still remembered appends nothing, and returns the id of the first. */
  readonly idempotencyKey?: string;
}

export interface TransactionalAppendOptions extends AppendOptions {
  /** A `pg` client inside a transaction: the event is appended by its COMMIT, and by nothing else. */
  readonly tx?: TransactionClient | undefined;
}

export interface AppendResult {
  /** The entry's id. Within a transaction it is that of the row: `stream.find` tells the entry's id once it is committed. */
  readonly id: string;
  /** False when the idempotency key was known: then `id` is the one returned before. */
  readonly appended: boolean;
}

export interface ReadOptions {
  /** Where to begin: an id, a time, or "-" (default), the beginning. Included. */
  readonly from?: Place;
  /** Where to end: an id, a time, or "+" (default), the end. Included. */
  readonly to?: Place;
  /** The most entries to return. Default: all. */
  readonly limit?: number;
  /** Newest first. Default false. */
  readonly reverse?: boolean;
  /** Only entries of this key; the others cost nothing. */
  readonly key?: string;
}

export interface FollowOptions {
  /** Begins after this place: an id, a time, "-" for the beginning. Default: from now on. */
  readonly after?: Place;
  /** Ends the iteration. */
  readonly signal?: AbortSignal;
  /** Is told, in their place, of entries that are gone. Without it the iteration throws GAP instead. */
  readonly onGap?: (gap: StreamGap) => void;
}

/** What a reader of a stream has missed. */
export interface StreamGap {
  readonly stream: string;
  /** `trimmed`: retention dropped entries after the reader's place. `lost`: Valkey lost them, or the whole stream. */
  readonly reason: "trimmed" | "lost";
  /** The reader's place. */
  readonly after: string;
  /** It goes on after this id. */
  readonly until: string;
}

export interface HistoryOptions {
  /** The most entries to return: the newest ones. Default: all. */
  readonly limit?: number;
  /** Newest first. Default false. */
  readonly reverse?: boolean;
}

/** A stream's rules with every default filled in. */
export interface StreamPolicy {
  readonly maxLength: number | undefined;
  readonly maxAgeMs: number | undefined;
  readonly hardMaxLength: number | undefined;
  readonly hardMaxAgeMs: number | undefined;
  readonly groupTimeoutMs: number;
  readonly recordMaxAgeMs: number | undefined;
  readonly idempotencyWindowMs: number;
  readonly maxPayloadBytes: number;
}

const streamOptionNames = new Set<string>([
  "schema",
  "key",
  "transactional",
  "retention",
  "idempotencyWindow",
  "maxPayloadBytes",
] satisfies (keyof StreamOptions)[]);
const retentionNames = new Set<string>(["maxLength", "maxAge", "hard", "groupTimeout", "recordMaxAge"] satisfies (keyof Retention)[]);
const hardNames = new Set(["maxLength", "maxAge"]);
const longestMs = 100 * 365 * 86_400_000;
const hotLength = 10_000;

/** Throws INVALID_OPTION. */
export function toStreamPolicy(options: StreamOptions): StreamPolicy {
  checkOptionNames("stream", options, streamOptionNames);
  checkSchema(options.schema);
  const { key, transactional = false, retention = {}, idempotencyWindow = 120_000, maxPayloadBytes = 1_048_576 } = options;
  if (key !== undefined && typeof key !== "function") {
    throw new KeylineError("INVALID_OPTION", "key must be a function from an event to a string, such as (event) => event.orderId");
  }
  checkOptionNames("retention", retention, retentionNames);
  const { maxLength = transactional ? hotLength : undefined, maxAge, hard = {}, groupTimeout = 604_800_000, recordMaxAge } = retention;
  checkOptionNames("retention.hard", hard, hardNames);
  if (transactional && retention.hard) {
    throw new KeylineError("INVALID_OPTION", "retention.hard is for plain streams: a transactional one loses nothing when Valkey drops it");
  }
  if (!transactional && recordMaxAge !== undefined) {
    throw new KeylineError(
      "INVALID_OPTION",
      "retention.recordMaxAge is for transactional streams: a plain one has no record in PostgreSQL",
    );
  }
  return {
    maxLength: checkLimit("retention.maxLength", maxLength, Number.MAX_SAFE_INTEGER),
    // Valkey keeps nothing that the record does not have.
    maxAgeMs: checkLimit("retention.maxAge", smaller(maxAge, checkLimit("retention.recordMaxAge", recordMaxAge, longestMs)), longestMs),
    hardMaxLength: checkLimit("retention.hard.maxLength", hard.maxLength, Number.MAX_SAFE_INTEGER),
    hardMaxAgeMs: checkLimit("retention.hard.maxAge", hard.maxAge, longestMs),
    groupTimeoutMs: checkInteger("retention.groupTimeout", groupTimeout, { min: 1, max: longestMs }),
    recordMaxAgeMs: recordMaxAge,
    idempotencyWindowMs: checkInteger("idempotencyWindow", idempotencyWindow, { min: 1, max: 86_400_000 * 366 }),
    maxPayloadBytes: checkInteger("maxPayloadBytes", maxPayloadBytes, { min: 1, max: 512 * 1_048_576 }),
  };
}

function smaller(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || (b !== undefined && b < a) ? b : a;
}

function checkLimit(option: string, limit: number | undefined, max: number): number | undefined {
  return limit === undefined ? undefined : checkInteger(option, limit, { min: 1, max });
}

const appendNames = new Set<string>(["idempotencyKey", "tx"] satisfies (keyof TransactionalAppendOptions)[]);
const readNames = new Set<string>(["from", "to", "limit", "reverse", "key"] satisfies (keyof ReadOptions)[]);
const followNames = new Set<string>(["after", "signal", "onGap"] satisfies (keyof FollowOptions)[]);
const historyNames = new Set<string>(["limit", "reverse"] satisfies (keyof HistoryOptions)[]);

/** Throws INVALID_OPTION, and INVALID_KEY. */
export function checkAppendOptions(options: TransactionalAppendOptions): void {
  checkOptionNames("append", options, appendNames);
  if (options.idempotencyKey !== undefined) checkKey("an idempotency key", options.idempotencyKey);
}

export function checkReadOptions(options: ReadOptions): void {
  checkOptionNames("read", options, readNames);
  checkFlag("reverse", options.reverse);
  if (options.limit !== undefined) checkInteger("limit", options.limit, { min: 1 });
}

export function checkFollowOptions(options: FollowOptions): void {
  checkOptionNames("follow", options, followNames);
  if (options.onGap !== undefined) checkFunction("onGap", options.onGap);
}

export function checkHistoryOptions(options: HistoryOptions): void {
  checkOptionNames("history", options, historyNames);
  checkFlag("reverse", options.reverse);
  if (options.limit !== undefined) checkInteger("limit", options.limit, { min: 1 });
}

/** The key itself, or INVALID_KEY. */
export function checkKey(what: string, key: string): string {
  if (typeof key === "string" && key.length > 0 && key.length <= 500 && !key.includes("\0") && key.isWellFormed()) return key;
  const found = typeof key === "string" ? `${key.length} characters` : String(key);
  throw new KeylineError("INVALID_KEY", `${what} must be a text of 1 to 500 characters without NUL, not ${found}`);
}
