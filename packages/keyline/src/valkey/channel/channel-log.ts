import type { ValkeyConnection } from "../client/connection.ts";
import type { ChannelKeys } from "./keys.ts";
import { traceJson } from "../../runtime/probe.ts";
import { scriptsBeside } from "../client/script.ts";
import { OrderedRuns } from "../client/ordered-runs.ts";
import type { ServerRun } from "../client/server-run.ts";

const script = scriptsBeside(import.meta.url);

/** A message that is to be published: its place in the outbox if it came from there, and its data as JSON. */
export interface OutgoingMessage {
  readonly id: string;
  readonly dataJson: string;
  /** When it was published, in milliseconds since 1970. With history the server's clock says. */
  readonly at: number;
  /** Number in an outbox of PostgreSQL, which grows; undefined for what never was there. */
  readonly number?: string | undefined;
  /** Where somebody wants to know of it: runtime/probe.ts. */
  readonly trace?: string | undefined;
}

/** How much a history keeps. */
export interface HistoryRule {
  readonly size: number;
  readonly ttlMs: number;
}

export interface Published {
  /** Connections that it was handed to. */
  readonly receivers: number;
  readonly cursor: string | undefined;
}

/**
 * Where a reader stands: in the history `epoch`, in the era `era` of it (another one whenever the server is), behind the message number
 * `count` with the entry id `last`.
 */
export interface Position {
  readonly epoch: string;
  readonly era: string;
  readonly count: number;
  readonly last: string;
}

/** A message that is kept. */
interface HistoryEntry {
  readonly entryId: string;
  readonly era: string;
  readonly count: number;
  readonly id: string;
  readonly data: string;
  /** As JSON. */
  readonly trace?: string | undefined;
}

export interface HistoryPage {
  /** Where the history ended when it was read. */
  readonly end: Position;
  /** False when the reader came from another history: then the page begins with all that is kept, and before his place there is nothing. */
  readonly isKnown: boolean;
  readonly entries: readonly HistoryEntry[];
}

const publish = script(1, "outbox", "publish");
const publishKept = script(3, "outbox", "client/eras", "channel-history", "publish-kept");
const listeners = script(1, "listeners");
const historySince = script(2, "client/eras", "channel-history", "history-since");

/** What one channel has on Valkey, and every operation on it but subscribing. */
export class ChannelLog {
  readonly keys: ChannelKeys;
  readonly connection: ValkeyConnection;
  readonly #run: ServerRun;
  readonly #ordered: OrderedRuns;
  readonly #hasPatterns: () => Promise<boolean>;

  /** `hasPatterns` says whether somebody on a cluster subscribed to a pattern, which sharded messages do not reach. */
  constructor(
    connection: ValkeyConnection,
    { keys, run, hasPatterns }: { readonly keys: ChannelKeys; readonly run: ServerRun; readonly hasPatterns: () => Promise<boolean> },
  ) {
    this.connection = connection;
    this.keys = keys;
    this.#run = run;
    this.#ordered = new OrderedRuns(connection);
    this.#hasPatterns = hasPatterns;
  }

  /** Publishes messages, in this order; undefined for one of `outbox` that was published before. */
  async publish(messages: readonly OutgoingMessage[], outbox = ""): Promise<(Published | undefined)[]> {
    const { isCluster, client } = this.connection;
    const [first] = messages;
    const alsoForPatterns = isCluster && (await this.#hasPatterns());
    if (messages.length === 1 && first && first.number === undefined && !alsoForPatterns) {
      const text = toText(first);
      const receivers = Number(await (isCluster ? client.spublish(this.keys.live, text) : client.publish(this.keys.live, text)));
      return [{ receivers, cursor: undefined }];
    }
    const values = [this.keys.outbox(outbox), this.keys.live, isCluster ? "SPUBLISH" : "PUBLISH", alsoForPatterns ? "1" : "0"];
    for (const message of messages) values.push(message.number ?? "", toText(message));
    const replies = (await this.#ordered.run(publish, values)) as (number | null)[];
    return replies.map((receivers) => (receivers === null ? undefined : { receivers, cursor: undefined }));
  }

  /** The same for a channel with history. */
  async publishKept(messages: readonly OutgoingMessage[], { size, ttlMs }: HistoryRule, outbox = ""): Promise<(Published | undefined)[]> {
    const { isCluster } = this.connection;
    const { state, history, live } = this.keys;
    const alsoForPatterns = isCluster && (await this.#hasPatterns());
    const values: (string | number)[] = [state, history, this.keys.outbox(outbox), live, await this.#run.tag(), size, ttlMs];
    values.push(isCluster ? "SPUBLISH" : "PUBLISH", alsoForPatterns ? "1" : "0");
    const isTraced = messages.some(({ trace }) => trace !== undefined);
    values.push(isTraced ? 4 : 3);
    for (const { number = "", id, dataJson, trace } of messages) {
      values.push(number, id, dataJson);
      if (isTraced) values.push(trace === undefined ? "" : traceJson(trace));
    }
    const replies = (await this.#ordered.run(publishKept, values)) as (number | string | null)[];
    return messages.map((_, index) => {
      const receivers = replies[2 * index];
      const cursor = replies[2 * index + 1];
      return typeof receivers === "number" && typeof cursor === "string" ? { receivers, cursor } : undefined;
    });
  }

  /** Up to `limit` entries after `since`, or from the beginning. */
  readSince(since: Position | "earliest", limit: number): Promise<HistoryPage> {
    return this.#read([limit, ...(since === "earliest" ? ["", "", ""] : [since.epoch, since.era, since.last])]);
  }

  /** The newest `limit` entries, or those right before the one that a reader at `before` has read last. */
  readNewest(limit: number, before?: Position): Promise<HistoryPage> {
    return this.#read([-limit, ...(before ? [before.epoch, before.era, before.last] : ["", "", ""])]);
  }

  /** How many connections are subscribed to it by its name. */
  async countListeners(): Promise<number> {
    const subcommand = this.connection.isCluster ? "SHARDNUMSUB" : "NUMSUB";
    return Number(await listeners.run(this.connection, [this.keys.live, subcommand]));
  }

  async #read(values: readonly (string | number)[]): Promise<HistoryPage> {
    const { state, history } = this.keys;
    const reply = await historySince.run(this.connection, [state, history, await this.#run.tag(), ...values]);
    const [epoch, era, count, last, isKnown, entries] = reply as Reply;
    return { end: { epoch, era, count, last }, isKnown: isKnown === 1, entries: entries.map(toEntry) };
  }
}

type Reply = [epoch: string, era: string, count: number, last: string, isKnown: number, entries: [string, string[]][]];

function toText({ id, at, dataJson, trace }: OutgoingMessage): string {
  if (trace !== undefined) return `{"id":"${id}","at":${at},"trace":${traceJson(trace)},"data":${dataJson}}`;
  return `{"id":"${id}","at":${at},"data":${dataJson}}`;
}

function toEntry([entryId, fields]: [string, string[]]): HistoryEntry {
  const [, id = "", , data = "", , place = "", , trace] = fields;
  const [era = "", count = ""] = place.split(".");
  return { entryId, id, data, trace, era, count: Number(count) };
}
