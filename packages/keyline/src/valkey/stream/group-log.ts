import type { ValkeyConnection } from "../client/connection.ts";
import type { GroupKeys } from "./keys.ts";
import { groupScript } from "./group-script.ts";
import { wakeKeyOf } from "./group-wake.ts";
import { toKeptEntry, type WireEntry } from "./stream-log.ts";
import { bulkString, WrittenCommand } from "../client/written-command.ts";

/** An entry that a consumer was handed out. */
export interface HandedEntry {
  readonly id: string;
  readonly key: string | undefined;
  /** The field `data`; undefined where a foreign writer left it out. */
  readonly data: string | undefined;
  /** Of whoever appended it, where it came with one. */
  readonly trace?: string | undefined;
  /** The attempt that begins now, 1 for the first. */
  readonly attempt: number;
  /** It was handed out before, and is kept in `again` until it ends. */
  readonly isAgain: boolean;
}

export type EndOfEntry = "ended" | "taken" | "gone";

export interface Turn {
  /** What became of the entries that had ended, in their order. */
  readonly ended: readonly EndOfEntry[];
  /** Where the log ended when it had nothing new; "full" when too much is pending; "" when neither is known. */
  readonly stoppedBy: string;
  readonly nextDueMs: number;
  readonly taken: readonly HandedEntry[];
  /** Where `wake` ended when the log had nothing new, else "". */
  readonly wokenUpTo: string;
}

/** Where a group reads: the stream itself, or older entries from the record. */
export type GroupMode = "" | "backlog";

type TurnReply = [EndOfEntry[], stoppedBy: string, nextDueMs: number, Taken[], wokenUpTo: string];
type Taken = [id: string, text: string] | [id: string, key: string | null, data: string | null, trace?: string];

const turn = groupScript(5, "group-turn");
const fail = groupScript(5, "group-letter", "group-fail");
const own = groupScript(4, "group-own");
const adopt = groupScript(2, "group-adopt");
const attach = groupScript(5, "group-attach");

/** One consumer group on Valkey, as its consumers work with it: each operation is one step on the server. */
export class GroupLog {
  readonly connection: ValkeyConnection;
  readonly keys: GroupKeys;
  readonly name: string;
  readonly hasKeys: boolean;
  #log: string;
  /** Of a plain stream: in which the group was there. */
  #epoch = "";
  /** The newest id that was seen there. */
  #newest = "0-0";
  #ackHead = "";
  #readHead = "";

  constructor(connection: ValkeyConnection, keys: GroupKeys, { name, hasKeys }: { readonly name: string; readonly hasKeys: boolean }) {
    this.connection = connection;
    this.keys = keys;
    this.name = name;
    this.hasKeys = hasKeys;
    this.#log = keys.stream.events;
    this.mode = "";
  }

  /** The stream that says when something is due again that nobody waits for. */
  get wake(): string {
    return wakeKeyOf(this.keys.stream);
  }

  /** The stream that the group reads. */
  get log(): string {
    return this.#log;
  }

  get mode(): GroupMode {
    return this.#log === this.keys.backlog ? "backlog" : "";
  }

  set mode(mode: GroupMode) {
    this.#log = mode === "backlog" ? this.keys.backlog : this.keys.stream.events;
    this.#ackHead = `${bulkString("xack")}${bulkString(this.#log)}${bulkString(this.name)}`;
    this.#readHead = `*9\r\n${bulkString("xreadgroup")}${bulkString("GROUP")}${bulkString(this.name)}`;
  }

  /**
   * Makes the group where it is not there, and reads it where it is. `start` is the id after which a new one begins, or "$"; one that was
   * lost with its stream begins with everything there is. Returns whether it was made; undefined while a transactional stream is not there yet.
   */
  async attach(start: string, { hasRecord }: { readonly hasRecord: boolean }): Promise<boolean | undefined> {
    const { stream, state, backlog } = this.keys;
    const keys = [stream.events, stream.state, stream.groups, state, backlog];
    const reply = await attach.run(this.connection, [...keys, this.name, start, hasRecord ? 1 : 0, this.#epoch, this.#newest]);
    if (!reply) return undefined;
    const [mode, isNew, epoch] = reply as [GroupMode, number, string];
    this.mode = mode;
    if (epoch !== this.#epoch) this.#newest = "0-0";
    this.#epoch = epoch;
    return isNew === 1;
  }

  /** Acknowledges entries that were delivered for the first time. Returns how many of them were pending. */
  async acknowledge(ids: readonly string[]): Promise<number> {
    let wire = `*${ids.length + 3}\r\n${this.#ackHead}`;
    for (const id of ids) wire += bulkString(id, id.length);
    return (await this.connection.client.sendCommand(new WrittenCommand("xack", [this.#log, this.name], wire))) as number;
  }

  /** Takes up to `count` new entries, of a stream without keys. */
  async read(consumer: string, count: number): Promise<HandedEntry[]> {
    const wire = `${this.#readHead}${bulkString(consumer)}${bulkString("COUNT")}${bulkString(String(count))}${bulkString("STREAMS")}${bulkString(this.#log)}${bulkString(">")}`;
    const routing = ["GROUP", this.name, consumer, "STREAMS", this.#log, ">"];
    const reply = await this.connection.client.sendCommand(new WrittenCommand("xreadgroup", routing, wire));
    const entries = (reply as [key: string, entries: WireEntry[]][] | null)?.[0]?.[1] ?? [];
    return entries.map((entry) => {
      const { id, key, data, trace } = toKeptEntry(entry);
      return { id, key, data, trace, attempt: 1, isAgain: false };
    });
  }

  /** Ends entries and takes others. Undefined when the lease is lost: nothing was done then. */
  async turn(
    consumer: string,
    request: {
      readonly leaseMs: number;
      readonly places: number;
      readonly mostPending: number;
      readonly ended: readonly { readonly id: string; readonly key: string | undefined }[];
    },
  ): Promise<Turn | undefined> {
    const values: (string | number)[] = [this.name, consumer, request.leaseMs, this.linePrefix, request.places, request.mostPending];
    values.push(request.ended.length);
    for (const { id, key } of request.ended) values.push(id, key ?? "");
    const reply = (await turn.run(this.connection, [...this.workKeys, this.wake, ...values])) as 0 | TurnReply;
    if (reply === 0) return undefined;
    const [ended, stoppedBy, nextDueMs, taken, wokenUpTo] = reply;
    if (stoppedBy !== "" && stoppedBy !== "full") this.#newest = stoppedBy;
    return { ended, stoppedBy, nextDueMs, taken: taken.map(toHanded), wokenUpTo };
  }

  /** Ends an attempt that failed: with `delayMs` until the next one, or with a dead letter. */
  async fail(
    consumer: string,
    entry: { readonly id: string; readonly key: string | undefined },
    ending: { readonly attempts: number; readonly delayMs: number } | { readonly attempts: number; readonly letter: string },
  ): Promise<{ readonly end: EndOfEntry; readonly nextDueMs: number }> {
    const how = "letter" in ending ? ["bury", ending.attempts, ending.letter] : ["retry", ending.attempts, ending.delayMs];
    const keys = [...this.workKeys, this.keys.dead];
    const reply = await fail.run(this.connection, [...keys, this.name, consumer, this.linePrefix, entry.id, entry.key ?? "", ...how]);
    const [end, nextDueMs] = reply as [EndOfEntry, number];
    return { end, nextDueMs };
  }

  /** Everything that the consumer has and may run. */
  async own(consumer: string, leaseMs: number, page: number): Promise<HandedEntry[]> {
    const all: HandedEntry[] = [];
    for (let start = "-"; start !== "";) {
      const values = [this.name, consumer, this.linePrefix, start, page, leaseMs];
      const [next, taken] = (await own.run(this.connection, [...this.workKeys, ...values])) as [string, Taken[]];
      for (const one of taken) all.push(toHanded(one));
      start = next;
    }
    return all;
  }

  /** Keeps entries that were moved to `again` with the consumer, which runs them. */
  async adopt(consumer: string, leaseMs: number, running: readonly { readonly id: string }[]): Promise<void> {
    const { again, entries } = this.keys;
    await adopt.run(this.connection, [again, entries, consumer, leaseMs, ...running.map(({ id }) => id)]);
  }

  get linePrefix(): string {
    return this.hasKeys ? this.keys.linePrefix : "";
  }

  /** The keys that nearly every script of a group works with. */
  get workKeys(): readonly string[] {
    const { consumers, again, entries } = this.keys;
    return [this.#log, consumers, again, entries];
  }
}

/** An entry as `again` has it. */
interface Kept {
  readonly attempts: number;
  readonly key?: string;
  readonly data?: string;
  readonly trace?: string;
}

function toHanded(taken: Taken): HandedEntry {
  if (taken.length === 2) {
    const [id, text] = taken;
    const { attempts, key, data, trace } = JSON.parse(text) as Kept;
    return { id, key, data, trace, attempt: attempts, isAgain: true };
  }
  const [id, key, data, trace] = taken;
  return { id, key: key ?? undefined, data: data ?? undefined, trace, attempt: 1, isAgain: false };
}
