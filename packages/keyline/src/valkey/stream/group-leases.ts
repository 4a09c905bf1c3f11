import { registerLease } from "../client/register-lease.ts";
import { groupScript } from "./group-script.ts";
import type { GroupLog, GroupMode } from "./group-log.ts";

export interface GroupBeat {
  /** Entries pending with this consumer; -1 when the group is not there. */
  readonly pending: number;
  readonly nextDueMs: number;
  /** A consumer that is gone, or "". */
  readonly goneConsumer: string;
  readonly mode: GroupMode;
  readonly loss: Loss | undefined;
  /** What the consumer has said of itself is gone; somebody asks what consumers run: 1 or 0. */
  readonly unknown: number;
  readonly watched: number;
}

/** Entries that trimming took before the group had finished them. */
export interface Loss {
  readonly from: string | undefined;
  readonly to: string;
  readonly entries: number;
}

type BeatReply = [number, number, string, GroupMode, number, string, string, number, number];

const beat = groupScript(6, "group-beat");
const rescue = groupScript(5, "group-rescue");
const sweep = groupScript(4, "group-sweep");

/** The leases of the consumers of one group, and what those leave behind whose lease has ended. */
export class GroupLeases {
  readonly #log: GroupLog;

  constructor(log: GroupLog) {
    this.#log = log;
  }

  async register(consumer: string, leaseMs: number): Promise<void> {
    const { connection, keys } = this.#log;
    await registerLease.run(connection, [keys.consumers, consumer, leaseMs]);
  }

  /** Renews the lease, also on the entries of `again` that run; undefined when it is lost. */
  async beat(consumer: string, leaseMs: number, running: readonly string[]): Promise<GroupBeat | undefined> {
    const { connection, workKeys, keys, name } = this.#log;
    const reply = await beat.run(connection, [...workKeys, keys.state, keys.stream.groups, name, consumer, leaseMs, ...running]);
    if (reply === 0) return undefined;
    const [pending, nextDueMs, goneConsumer, mode, lost, from, to, unknown, watched] = reply as BeatReply;
    const loss = lost > 0 ? { from: from === "" ? undefined : from, to, entries: lost } : undefined;
    return { pending, nextDueMs, goneConsumer, mode, loss, unknown, watched };
  }

  /** Has a page of what a consumer has handed out again. Undefined when its lease goes on. */
  async rescue(
    consumer: string,
    page: number,
    why: "ended" | "leaving",
    running: readonly string[] = [],
  ): Promise<{ readonly isMore: boolean; readonly moved: number } | undefined> {
    const { connection, workKeys, wake, name, linePrefix } = this.#log;
    const reply = await rescue.run(connection, [...workKeys, wake, name, consumer, linePrefix, page, why, ...running]);
    if (reply === -1) return undefined;
    const [more, moved] = reply as [number, number];
    return { isMore: more === 1, moved };
  }

  /** Frees entries of lines that stand still. Returns how many. */
  async sweep(idleMs: number, page: number): Promise<number> {
    const { connection, workKeys, name, linePrefix } = this.#log;
    return (await sweep.run(connection, [...workKeys, name, linePrefix, idleMs, page])) as number;
  }
}
