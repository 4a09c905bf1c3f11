import { GroupLetterRows } from "../../postgres/event/group-letter-rows.ts";
import type { GroupTable } from "../../postgres/event/group-table.ts";
import type { Door } from "../../runtime/door.ts";
import { KeylineError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { Iteration } from "../../runtime/iteration.ts";
import { PagedSource } from "../../runtime/paged-source.ts";
import type { ValkeyConnection } from "../../valkey/client/connection.ts";
import type { GroupAdmin } from "../../valkey/stream/group-admin.ts";
import { GroupLetterLog } from "../../valkey/stream/group-letter-log.ts";
import { GroupLog } from "../../valkey/stream/group-log.ts";
import { groupRoster } from "../../valkey/stream/group-roster.ts";
import type { StreamKeys } from "../../valkey/stream/keys.ts";
import { compareIds, timeOf } from "../entry-id.ts";
import type { GroupDeadLetter } from "./dead-letter.ts";
import {
  checkGroupAct,
  checkGroupDiscard,
  checkGroupLetters,
  checkGroupRedrive,
  GroupLettersInRows,
  GroupLettersOnValkey,
  readLetters,
  type GroupDiscardOptions,
  type GroupLettersOptions,
  type GroupLetterShelf,
  type GroupRedriveOptions,
} from "./group-letters.ts";
import { readConsumers, type ConsumerInfo } from "./consumer-info.ts";
import type { GroupLags } from "./group-lags.ts";
import { GroupRecord, type RecordedEvents } from "./group-record.ts";
import { resetGroup, startOf, type ResetPlace } from "./group-reset.ts";
import { asAct } from "../../valkey/client/as-act.ts";
import { asRead } from "../../valkey/client/as-read.ts";

export interface GroupStatus {
  readonly name: string;
  /** Entries that were not handed out yet. */
  readonly lag: number;
  /** False as long as there are so many that they were not all counted yet; the next looks of this process go on counting. */
  readonly isLagExact: boolean;
  /** Entries that were handed out and have not ended: they run, wait in the line of their key, or wait for their next attempt. */
  readonly pending: number;
  /** When the earliest of those was appended, in milliseconds since 1970; undefined when there is none. */
  readonly oldestPendingAt: number | undefined;
  /** Pending entries that were handed out before, or will be handed out again. */
  readonly retrying: number;
  readonly dead: number;
  /** Consumers of all processes whose lease goes on. */
  readonly consumers: number;
  /** Entries that retention took before the group had finished them, as far as that is known, ever. */
  readonly lost: number;
  /** When a consumer was here last, in milliseconds since 1970; undefined for a group that has had none of Keyline's. */
  readonly lastSeenAt: number | undefined;
}

export interface GroupParts {
  readonly stream: string;
  readonly connection: ValkeyConnection;
  readonly keys: StreamKeys;
  readonly hasKeys: boolean;
  readonly admin: GroupAdmin;
  /** Both only on a transactional stream. */
  readonly table: GroupTable | undefined;
  readonly events: RecordedEvents | undefined;
  /** What was counted of the group's lag so far. */
  readonly lags: GroupLags;
  readonly logger: Logger;
  readonly door: Door;
}

/** One consumer group, as those look at it who do not consume. Every method throws UNKNOWN_GROUP where there is no such group. */
export class Group {
  readonly name: string;
  readonly #parts: GroupParts;

  /** @internal */
  constructor(name: string, parts: GroupParts) {
    this.name = name;
    this.#parts = parts;
  }

  status(): Promise<GroupStatus> {
    return this.#parts.door.accept(() => asRead(this.#status()));
  }

  async #status(): Promise<GroupStatus> {
    await this.#ready();
    return (await readStatus(this.name, this.#parts)) ?? this.#refuse();
  }

  /** Who consumes for the group: consumers of all processes whose lease goes on, and what they are. Throws VALKEY_UNAVAILABLE. */
  consumers(): Promise<ConsumerInfo[]> {
    return this.#parts.door.accept(async () => {
      const { connection, keys } = this.#parts;
      const consumers = await asRead(readConsumers(groupRoster(connection, this.name, keys.group(this.name))));
      if (consumers.length === 0) await asRead(this.#status());
      return consumers;
    });
  }

  /**
   * The dead letters, newest first, page by page as they are iterated; on a transactional stream those of the latest entries first. Throws INVALID_OPTION and INVALID_CURSOR at once.
   *
   * @example
   * for await (const { id, reason, at } of orders.group("totals").deadLetters({ limit: 20 })) console.log(id, reason, at);
   */
  deadLetters(options: GroupLettersOptions = {}): AsyncIterableIterator<GroupDeadLetter, undefined, void> {
    const { door } = this.#parts;
    const query = checkGroupLetters(options);
    door.check();
    const read = readLetters(this.#letters, query);
    let isThere = false;
    const next = async (): Promise<readonly GroupDeadLetter[] | undefined> => {
      if (!isThere) await this.#status();
      isThere = true;
      return read();
    };
    return new Iteration(new PagedSource(() => door.accept(() => asRead(next()))));
  }

  /** Hands out dead letters again, those with the `ids` or the oldest up to `limit` (default: all), with all their attempts before them. Returns how many. */
  redrive(options: GroupRedriveOptions = {}): Promise<number> {
    return this.#parts.door.accept(async () => {
      const meant = checkGroupRedrive(options);
      const between = checkGroupAct(options);
      await asRead(this.#status());
      return asAct(this.#letters.redrive(meant, between), `redrive of group ${this.name}`);
    });
  }

  /** Removes dead letters for good: those with the `ids`, or `all`. Their entries stay finished. Returns how many. */
  discard(options: GroupDiscardOptions): Promise<number> {
    return this.#parts.door.accept(async () => {
      const meant = checkGroupDiscard(options);
      const between = checkGroupAct(options);
      await asRead(this.#status());
      return asAct(this.#letters.discard(meant, between), `discard of group ${this.name}`);
    });
  }

  /**
   * Sets the group to another place: `"start"`, `"end"`, the id of an entry or a Date, from which on its entries are handed out (again). What the group had been handed out and has not finished is dropped, and what
   * runs at that moment is aborted with LEASE_LOST and counts for nothing; consumers need not be stopped, and go on there by themselves. So this takes until their leases are over, 10 seconds by default. Dead
   * letters stay, but those from that place on, as their entries are handed out again.
   *
   * Rejects with INVALID_ID before anything is done; with CONFLICT when somebody else resets the same group meanwhile; and with VALKEY_UNAVAILABLE or POSTGRES_UNAVAILABLE: look where the group is, and call it again.
   *
   * @example
   * await orders.group("totals").reset(new Date("2026-11-01"));
   */
  reset(place: ResetPlace): Promise<void> {
    return this.#parts.door.accept(async () => {
      const start = startOf(place);
      await this.#ready();
      if (!(await asAct(resetGroup(this.name, this.#parts, start), `reset of group ${this.name}`))) this.#refuse();
    });
  }

  /** Removes the group with everything it knows. Stop its consumers first: a running one makes it again. */
  remove(): Promise<void> {
    return this.#parts.door.accept(() => asAct(this.#remove(), `remove of group ${this.name}`));
  }

  async #remove(): Promise<void> {
    await this.#ready();
    const isRecorded = (await this.#parts.table?.place()) !== undefined;
    const isThere = await this.#parts.admin.remove(this.name);
    await this.#parts.table?.remove();
    if (!isThere && !isRecorded) this.#refuse();
  }

  get #letters(): GroupLetterShelf {
    const { connection, keys, hasKeys, table, events, logger, stream } = this.#parts;
    const own = keys.group(this.name);
    if (!table) return new GroupLettersOnValkey(new GroupLetterLog(connection, own), hasKeys ? own.linePrefix : "");
    const rows = new GroupLetterRows(table.database, { stream, group: this.name });
    const log = new GroupLog(connection, own, { name: this.name, hasKeys });
    return new GroupLettersInRows(rows, {
      redriveOldest: (limit) => table.redrive(limit),
      handOut: async () => events && new GroupRecord(log, { table, events, logger }).handOutRedriven(),
    });
  }

  async #ready(): Promise<void> {
    await this.#parts.connection.ensureReady(5_000);
  }

  #refuse(): never {
    throw new KeylineError(
      "UNKNOWN_GROUP",
      `Stream ${this.#parts.stream} has no consumer group ${this.name}: stream.groups() lists its groups`,
    );
  }
}

/** Undefined where there is no such group. */
export async function readStatus(name: string, { admin, table, lags }: GroupParts): Promise<GroupStatus | undefined> {
  const [state, place] = await Promise.all([admin.state(name), table?.place()]);
  // One that Valkey has lost goes on behind its floor.
  const known = state ?? (place && { ...lostState, mode: "backlog", filled: place.floor });
  if (!known) return undefined;
  const { pending, retrying, consumers, lost, lastSeenAt } = known;
  const oldest = [known.firstPending, known.firstRetrying].filter((id) => id !== "").sort(compareIds)[0];
  const lag = await lags.lagOf(name, known, admin);
  return {
    name,
    lag: lag.entries,
    isLagExact: lag.isExact,
    pending: pending + retrying,
    oldestPendingAt: oldest === undefined ? undefined : timeOf(oldest),
    retrying,
    dead: known.dead + ((await table?.countDead()) ?? 0),
    consumers,
    lost: lost + (place?.lost ?? 0),
    lastSeenAt,
  };
}

const lostState = {
  pending: 0,
  firstPending: "",
  cursor: "0-0",
  lag: 0,
  length: 0,
  first: "",
  newest: "0-0",
  retrying: 0,
  firstRetrying: "",
  dead: 0,
  lost: 0,
  consumers: 0,
  lastSeenAt: undefined,
} as const;
