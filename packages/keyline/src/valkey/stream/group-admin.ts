import type { ValkeyConnection } from "../client/connection.ts";
import { groupScript } from "./group-script.ts";
import type { GroupMode } from "./group-log.ts";
import type { GroupKeys, StreamKeys } from "./keys.ts";

const status = groupScript(8, "group-status");
const count = groupScript(1, "group-count");
const remove = groupScript(8, "group-remove");

/** What a group is like, as far as Valkey knows. */
export interface GroupState {
  readonly pending: number;
  readonly firstPending: string;
  readonly cursor: string;
  /** As the server knows it, -1 when it does not. */
  readonly lag: number;
  readonly length: number;
  readonly first: string;
  readonly retrying: number;
  readonly firstRetrying: string;
  readonly dead: number;
  readonly lost: number;
  readonly consumers: number;
  readonly lastSeenAt: number | undefined;
  readonly mode: GroupMode;
  /** Up to where the backlog has what the record has, in that mode. */
  readonly filled: string;
  /** The newest id of the log. */
  readonly newest: string;
}

export interface CountRange {
  readonly after: string;
  readonly to: string;
  readonly limit: number;
}

export interface CountedPage {
  readonly entries: number;
  /** The last that was counted, "" where there was none. */
  readonly last: string;
}

type StatusReply = [
  number,
  string,
  string,
  number,
  number,
  string,
  number,
  string,
  number,
  number,
  number,
  string,
  GroupMode,
  ...ids: [string, string],
];

/** The consumer groups of one stream, as those look at them who do not consume. */
export class GroupAdmin {
  readonly connection: ValkeyConnection;
  readonly keys: StreamKeys;

  constructor(connection: ValkeyConnection, keys: StreamKeys) {
    this.connection = connection;
    this.keys = keys;
  }

  /** The names of all groups that are on Valkey: those that Keyline knows, and those that somebody else made on the stream. */
  async names(): Promise<string[]> {
    const { client } = this.connection;
    const names = new Set(await client.hkeys(this.keys.groups));
    if ((await client.exists(this.keys.events)) === 1) {
      for (const fields of (await client.xinfo("GROUPS", this.keys.events)) as unknown[][]) names.add(String(fields[1]));
    }
    return [...names];
  }

  /** Undefined when there is no such group. */
  async state(name: string): Promise<GroupState | undefined> {
    const keys = this.keys.group(name);
    const ofMode = (await this.connection.client.hget(keys.state, "mode")) === "backlog" ? keys.backlog : this.keys.events;
    const all = [this.keys.events, ofMode, keys.consumers, keys.again, keys.entries, keys.dead, keys.state, this.keys.groups];
    const reply = (await status.run(this.connection, [...all, name])) as StatusReply | null;
    if (!reply) return undefined;
    const [pending, firstPending, cursor, lag, length, first, retrying, firstRetrying, dead, lost, consumers, seen, mode, filled, newest] =
      reply;
    const lastSeenAt = seen === "" ? undefined : Number(seen);
    return {
      pending,
      firstPending,
      cursor,
      lag,
      length,
      first,
      retrying,
      firstRetrying,
      dead,
      lost,
      consumers,
      lastSeenAt,
      mode,
      filled,
      newest,
    };
  }

  /** Counts a page of a log's entries behind `after`, up to `to` or "+". */
  async countPage(log: string, { after, to, limit }: CountRange): Promise<CountedPage & { readonly bytes: number }> {
    const [entries, last, bytes] = (await count.run(this.connection, [log, after, to, limit])) as [number, string, number];
    return { entries, last, bytes };
  }

  /** False when there is no such group. */
  async remove(name: string): Promise<boolean> {
    const keys: GroupKeys = this.keys.group(name);
    const all = [this.keys.events, keys.backlog, keys.consumers, keys.again, keys.entries, keys.dead, keys.state, this.keys.groups];
    return (await remove.run(this.connection, [...all, name, keys.linePrefix])) === 1;
  }
}
