import type { StandardSchemaV1 } from "@standard-schema/spec";
import { toError } from "../runtime/errors.ts";
import { newId } from "../runtime/ids.ts";
import { parseJson } from "../runtime/json.ts";
import type { Logger } from "../runtime/logger.ts";
import { readTrace } from "../runtime/probe.ts";
import { validate } from "../runtime/schema.ts";
import type { Position } from "../valkey/channel/channel-log.ts";
import { formatCursor, isCursor } from "./cursor.ts";

/** What was published on a channel. All receivers of one process get the same object: treat it as read-only. */
export interface Message<Data = unknown> {
  readonly channel: string;
  readonly id: string;
  readonly data: Data;
  /** When it was published, in milliseconds since 1970: by the clock of Valkey with history, else by the publisher's. */
  readonly at: number;
  /** Where to resume after this message; undefined on a channel without history. */
  readonly cursor: string | undefined;
}

/** What a receiver has missed, as far as that is known. */
export interface Gap {
  readonly channel: string;
  /**
   * - `trimmed`: the history no longer reaches back to where this receiver was;
   * - `lost`: Valkey lost the history; what is kept now comes next;
   * - `restarted`: Valkey was restarted or a replica took over, and messages of its last moments may be missing;
   * - `disconnected`: a channel without history was not listened to for a while;
   * - `dropped`: this receiver was too slow.
   */
  readonly reason: "trimmed" | "lost" | "restarted" | "disconnected" | "dropped";
  /** How many messages, if that is known. */
  readonly missed: number | undefined;
  /** Where to resume after the gap; undefined where the next message says. */
  readonly cursor: string | undefined;
}

/** A message as it came from Valkey, whose data nobody has looked at yet. */
export interface RawMessage {
  readonly id: string;
  readonly at: number;
  readonly cursor: string | undefined;
  readonly data: unknown;
  /** Of whoever published it, where it came with one. */
  readonly trace?: string | undefined;
}

const traces = new WeakMap<object, string>();

/** The trace that the message came with. It is no part of what a receiver gets. */
export function traceOfMessage(message: Message): string | undefined {
  return traces.get(message);
}

/** What a pub/sub channel carried: JSON, at least `{"data":...}`. Undefined, and a line in the log, for anything else. */
export function readMessage(channel: string, text: string, logger: Logger): RawMessage | undefined {
  try {
    const value = parseJson(text);
    if (typeof value !== "object" || value === null || !("data" in value)) throw new Error("it is no object with the member data");
    const { data } = value;
    const cursor = "cursor" in value && typeof value.cursor === "string" && isCursor(value.cursor) ? value.cursor : undefined;
    const at = "at" in value && typeof value.at === "number" ? value.at : atOf(cursor);
    const id = "id" in value && typeof value.id === "string" ? value.id : newId();
    return "trace" in value ? { id, at, cursor, data, trace: readTrace(value.trace) } : { id, at, cursor, data };
  } catch (error) {
    logger.warn({ channel, error: toError(error).message }, "a message that is not in the wire format was skipped");
    return undefined;
  }
}

/** The same for an entry of the history. */
export function readEntry(
  channel: string,
  {
    id,
    data,
    trace,
    position,
  }: { readonly id: string; readonly data: string; readonly trace?: string | undefined; readonly position: Position },
  logger: Logger,
): RawMessage | undefined {
  try {
    const raw = { id, at: Number.parseInt(position.last, 10), cursor: formatCursor(position), data: parseJson(data) };
    return trace === undefined ? raw : { ...raw, trace: readTrace(parseJson(trace)) };
  } catch (error) {
    logger.warn({ channel, error: toError(error).message }, "an entry of a history that is not in the wire format was skipped");
    return undefined;
  }
}

// The id of the entry begins with the server's time.
function atOf(cursor: string | undefined): number {
  if (cursor === undefined) return Date.now();
  return Number.parseInt(cursor.slice(cursor.lastIndexOf(".") + 1), 10) || Date.now();
}

/** Makes messages out of raw ones: the data as the schema returns it. */
export class MessageReader<Data = unknown> {
  readonly #channel: string;
  readonly #schema: StandardSchemaV1<unknown, Data> | undefined;
  readonly #logger: Logger;

  constructor(
    channel: string,
    { schema, logger }: { readonly schema: StandardSchemaV1<unknown, Data> | undefined; readonly logger: Logger },
  ) {
    this.#channel = channel;
    this.#schema = schema;
    this.#logger = logger;
  }

  /** The message; undefined, and a line in the log, for data that the schema rejects. */
  read(raw: RawMessage): Message<Data> | undefined | Promise<Message<Data> | undefined> {
    if (raw.trace === undefined) return this.#read(raw);
    const { trace } = raw;
    const keep = (message: Message<Data> | undefined): Message<Data> | undefined => {
      if (message) traces.set(message, trace);
      return message;
    };
    const message = this.#read(raw);
    return message instanceof Promise ? message.then(keep) : keep(message);
  }

  #read({ id, at, cursor, data }: RawMessage): Message<Data> | undefined | Promise<Message<Data> | undefined> {
    const channel = this.#channel;
    if (!this.#schema) return { channel, id, data: data as Data, at, cursor };
    try {
      const valid = validate(`channel ${channel}`, this.#schema, data);
      if (!(valid instanceof Promise)) return { channel, id, data: valid, at, cursor };
      return valid.then(
        (checked) => ({ channel, id, data: checked, at, cursor }),
        (error: unknown) => this.#passOver(id, error),
      );
    } catch (error) {
      return this.#passOver(id, error);
    }
  }

  #passOver(id: string, error: unknown): undefined {
    this.#logger.warn({ channel: this.#channel, id, error: toError(error).message }, "a message that does not fit its schema was skipped");
    return undefined;
  }
}
