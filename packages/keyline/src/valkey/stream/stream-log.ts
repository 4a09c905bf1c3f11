import type { ValkeyConnection } from "../client/connection.ts";
import type { StreamKeys } from "./keys.ts";
import { OrderedRuns } from "../client/ordered-runs.ts";
import { scriptsBeside } from "../client/script.ts";
import type { ServerRun } from "../client/server-run.ts";

const script = scriptsBeside(import.meta.url);

/** An entry that is to be appended. */
export interface OutgoingEntry {
  readonly dataJson: string;
  readonly key: string | undefined;
  readonly once: { readonly key: string; readonly windowMs: number } | undefined;
  /** Where somebody wants to know of it: runtime/probe.ts. */
  readonly trace?: string | undefined;
}

export interface Appended {
  readonly id: string;
  /** False for an idempotency key that was known: then `id` is the earlier entry's. */
  readonly appended: boolean;
}

/** An entry as it is on Valkey. */
export interface KeptEntry {
  readonly id: string;
  readonly key: string | undefined;
  /** The field `data`; undefined where a foreign writer left it out. */
  readonly data: string | undefined;
  /** The field `trace`, where there is one. */
  readonly trace?: string | undefined;
}

/** A page of entries, and what a reader's place in the stream is judged by; see stream-state.lua. */
export interface LogPage {
  readonly epoch: string;
  readonly began: string;
  readonly trimmed: string;
  /** Of a transactional stream: the newest entry that came from the record; empty where there is none. */
  readonly lastRecorded: string;
  readonly newest: string;
  readonly entries: readonly KeptEntry[];
  /** The first entry; empty where there is none. */
  readonly first: string;
  /** Entries that were ever added, and that are there. */
  readonly added: number;
  readonly length: number;
  /** The entry at the reader's place is there. */
  readonly isPlaceThere: boolean;
  /** The latest reigns of server processes, oldest first, each with the newest id before it. */
  readonly eras: readonly { readonly name: string; readonly behind: string }[];
}

interface ReaderPlace {
  readonly after: string;
  /** The epoch and the era in which it got there ("epoch.era"), where they are known. */
  readonly epoch: string | undefined;
  /** It was given the entry at its place. */
  readonly isHeld?: boolean;
}

export interface PageRequest {
  /** Ids as of XRANGE: with "(" in front the end itself is left out. */
  readonly from: string;
  readonly to: string;
  readonly limit: number;
  /** The page ends with the entry that makes it as large. Default: as large as it comes. */
  readonly mostBytes?: number;
  readonly reverse: boolean;
  /** The reader's place, where that is to be judged. */
  readonly place?: ReaderPlace;
}

/** How much a plain stream keeps: entries and milliseconds. */
export interface TrimRule {
  readonly maxLength: number | undefined;
  readonly maxAgeMs: number | undefined;
  readonly hardMaxLength: number | undefined;
  readonly hardMaxAgeMs: number | undefined;
  readonly groupTimeoutMs: number;
}

const append = script(2, "client/eras", "stream-state", "stream-append");
const page = script(2, "client/eras", "stream-state", "stream-page");
const history = script(2, "stream-history");
const keyPage = script(2, "client/eras", "stream-state", "stream-key-page");
const info = script(1, "stream-info");
const trim = script(3, "freeing", "client/eras", "stream-state", "stream-trim");

const trimPage = 500;
const nowhere: ReaderPlace = { after: "0-0", epoch: undefined };

/** The entries of one stream on Valkey, and every operation on them but those of consumer groups. */
export class StreamLog {
  readonly keys: StreamKeys;
  readonly connection: ValkeyConnection;
  readonly #ordered: OrderedRuns;
  readonly #run: ServerRun;
  /** Of which connect the stream's state was told the server process. */
  #toldOf = -1;

  constructor(connection: ValkeyConnection, keys: StreamKeys, run: ServerRun) {
    this.connection = connection;
    this.keys = keys;
    this.#run = run;
    this.#ordered = new OrderedRuns(connection);
  }

  /** Appends entries in one step, in this order. */
  async append(entries: readonly OutgoingEntry[]): Promise<Appended[]> {
    const { events, state } = this.keys;
    const width = widthOf(entries);
    const { connects } = this.#run;
    const server = this.#toldOf === connects ? "" : this.#run.known || "?";
    const values: (string | number)[] = [events, state, this.keys.historyOf(""), this.keys.once(""), server, width];
    for (const { dataJson, key = "", once, trace = "" } of entries) {
      values.push(dataJson);
      if (width > 1) values.push(key);
      if (width > 2) values.push(once?.key ?? "", once?.windowMs ?? 0);
      if (width > 4) values.push(trace);
    }
    const ids = (await this.#ordered.run(append, values)) as string[];
    this.#toldOf = connects;
    return ids.map((id) => (id.startsWith("=") ? { id: id.slice(1), appended: false } : { id, appended: true }));
  }

  async read({ from, to, limit, mostBytes = Number.MAX_SAFE_INTEGER, reverse, place = nowhere }: PageRequest): Promise<LogPage> {
    const { events, state } = this.keys;
    const range = reverse ? ["XREVRANGE", to, from] : ["XRANGE", from, to];
    const values = [events, state, ...range, limit, mostBytes, place.after, place.epoch ?? "", place.isHeld ? 1 : 0];
    const reply = (await page.run(this.connection, values)) as PageReply;
    const [epoch, began, trimmed, lastRecorded, newest, entries, first, added, length, isThere, eras] = reply;
    return {
      epoch,
      began,
      trimmed,
      lastRecorded,
      newest,
      entries: entries.map(toKeptEntry),
      first,
      added,
      length,
      isPlaceThere: isThere === 1,
      eras: eras === "" ? [] : eras.split(" ").map(toEra),
    };
  }

  async info(): Promise<{ readonly length: number; readonly firstId: string | undefined; readonly lastId: string | undefined }> {
    const [length, firstId, lastId] = (await info.run(this.connection, [this.keys.events])) as [number, string, string];
    return { length, firstId: firstId || undefined, lastId: lastId || undefined };
  }

  length(): Promise<number> {
    return this.connection.client.xlen(this.keys.events);
  }

  /** The entries of one key at these places of its history, oldest first. */
  async history(key: string, first: number, last: number): Promise<KeptEntry[]> {
    const reply = await history.run(this.connection, [this.keys.events, this.keys.historyOf(key), first, last]);
    return (reply as WireEntry[]).map(toKeptEntry);
  }

  /** The entries of one key behind an id and up to another, in their order or backwards. */
  async keyPage(
    key: string,
    range: { readonly after: string; readonly to: string; readonly limit: number; readonly reverse: boolean },
  ): Promise<KeptEntry[]> {
    const { after, to, limit, reverse } = range;
    const reply = await keyPage.run(this.connection, [this.keys.events, this.keys.historyOf(key), after, to, limit, reverse ? 1 : 0]);
    return (reply as WireEntry[]).map(toKeptEntry);
  }

  /** Drops what the rule does not keep. Returns true when there may be more to drop. */
  async trim(rule: TrimRule): Promise<boolean> {
    const { events, state, groups } = this.keys;
    const limits = [rule.maxLength, rule.maxAgeMs, rule.hardMaxLength, rule.hardMaxAgeMs].map((limit) => limit ?? -1);
    const values = [events, state, groups, ...limits, rule.groupTimeoutMs, this.keys.historyOf(""), this.keys.groupPrefix, trimPage];
    return (await trim.run(this.connection, values)) === trimPage;
  }
}

function widthOf(entries: readonly OutgoingEntry[]): 1 | 2 | 4 | 5 {
  let width: 1 | 2 | 4 = 1;
  for (const { key, once, trace } of entries) {
    if (trace !== undefined) return 5;
    if (once) width = 4;
    else if (key !== undefined && width === 1) width = 2;
  }
  return width;
}

type PageReply = [
  epoch: string,
  began: string,
  trimmed: string,
  lastRecorded: string,
  newest: string,
  entries: WireEntry[],
  first: string,
  added: number,
  length: number,
  isThere: number,
  eras: string,
];

function toEra(text: string): LogPage["eras"][number] {
  const [name = "", behind = ""] = text.split("@");
  return { name, behind };
}

export type WireEntry = [id: string, fields: string[] | null];

export function toKeptEntry([id, fields]: WireEntry): KeptEntry {
  let data: string | undefined;
  let key: string | undefined;
  let trace: string | undefined;
  for (let index = 0; fields && index < fields.length; index += 2) {
    if (fields[index] === "data") data = fields[index + 1];
    else if (fields[index] === "key") key = fields[index + 1];
    else if (fields[index] === "trace") trace = fields[index + 1];
  }
  return { id, data, key, trace };
}
