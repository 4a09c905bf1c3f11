/*
 * DESIGN. What a consumer group of a transactional stream has finished is known in PostgreSQL, in two parts: everything up to the floor, and the
 * settled events above it. Valkey hands out; where it hands out what is finished, because it forgot, the record decides.
 *
 *   settle       the row of the event and its effects commit together; whoever is second finds the row, or the floor
 *   floor        follows what Valkey has finished, once a second: floor-mover.ts. Rows below it are forgotten when nobody can need them
 *   loss         a group that Valkey does not have is made again at the floor; entries above it that were settled are taken out before they run
 *   backlog      what is older than the hot window comes from the record: backlog-filler.ts
 *   dead letter  a row with the reason, written before the entry ends on Valkey. When it is redriven it is first marked and then handed out; whoever dies
 *                in between leaves a mark, by which it is handed out later
 *
 * An entry that ends without a settle leaves no row: should Valkey forget it before the floor has passed it, it is run once more.
 */
import type { Settlement } from "../../postgres/settle/settlement.ts";
import { SettleLanes } from "../../postgres/settle/settle-lanes.ts";
import type { Database } from "../../postgres/client/database.ts";
import { isUnknownGroup, type GroupTable } from "../../postgres/event/group-table.ts";
import { KeylineError, toError } from "../../runtime/errors.ts";
import { delay } from "../../runtime/waiting.ts";
import { describeError, type Verdict } from "../../work/verdict.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { GroupLog } from "../../valkey/stream/group-log.ts";
import { GroupRecordLog } from "../../valkey/stream/group-record-log.ts";
import type { RawEntry } from "../entry.ts";
import { compareIds } from "../entry-id.ts";
import type { HeldEntry } from "./held-entry.ts";

/** The events of a transactional stream, as its groups read them. */
export interface RecordedEvents {
  readonly database: Database;
  readAfter(after: string, limit: number): Promise<readonly RawEntry[]>;
  /** Counts up to `limit` events after one and up to another, or "+". */
  countPage(
    after: string,
    range: { readonly to: string; readonly limit: number },
  ): Promise<{ readonly entries: number; readonly last: string }>;
  /** The last event, and the last one that retention dropped. */
  status(): Promise<{ readonly last: string; readonly dropped: string }>;
}

const redrivenPage = 500;

/** The record of one consumer group, as its consumers write to it. */
export class GroupRecord {
  readonly table: GroupTable;
  readonly events: RecordedEvents;
  readonly log: GroupRecordLog;
  readonly #log: GroupLog;
  readonly #lanes: SettleLanes;
  readonly #logger: Logger;
  #doubtUpTo = "0-0";
  /** How often the group was reset, as of the last attach. */
  resets = 0;

  constructor(
    log: GroupLog,
    { table, events, logger }: { readonly table: GroupTable; readonly events: RecordedEvents; readonly logger: Logger },
  ) {
    this.table = table;
    this.events = events;
    this.log = new GroupRecordLog(log);
    this.#log = log;
    this.#lanes = new SettleLanes(table);
    this.#logger = logger;
  }

  get database(): Database {
    return this.table.database;
  }

  /** Makes the group where it is not there, at `start`, and finds out where it reads. Throws while the stream is not there yet. */
  async attach(start: string): Promise<void> {
    let place = await this.table.place();
    if (!place) {
      await this.table.begin(await this.#floorOf(start));
      place = (await this.table.place()) ?? { floor: "0-0", lastSettled: "0-0", lost: 0, resets: 0 };
    }
    const { floor, lastSettled } = place;
    const isNew = await this.#log.attach(floor, { hasRecord: true });
    if (isNew === undefined) throw new Error("the stream is not on Valkey yet: it is begun from its record; or the group is being reset");
    // Behind it: a floor that is read from now on is that of the group as it is after so many.
    this.resets = (await this.table.place())?.resets ?? 0;
    this.#doubtUpTo = compareIds(floor, lastSettled) > 0 ? floor : lastSettled;
    if (isNew) this.#logger.debug({ group: this.#log.name, floor }, "a consumer group begins on Valkey, behind its floor in the record");
    await this.handOutRedriven();
  }

  /** Whether it has to be asked if the entry is finished: it was handed out before, or Valkey may have forgotten. */
  isDoubtful({ id, isAgain }: HeldEntry<unknown>): boolean {
    return isAgain || compareIds(id, this.#doubtUpTo) <= 0;
  }

  /** Those that are finished. Tries until that can be told; undefined when `signal` is aborted before. */
  async findSettled(held: readonly HeldEntry<unknown>[], signal: AbortSignal): Promise<ReadonlySet<string> | undefined> {
    while (!signal.aborted) {
      try {
        return await this.table.findSettled(held.map(({ id }) => id));
      } catch (error) {
        this.#logger.debug({ error: toError(error).message }, "it could not be asked yet which entries are settled");
        await delay(200, signal);
        await this.database.whenAvailable(signal);
      }
    }
    return undefined;
  }

  /** Ends entries together with their effects. Returns the ids of those that this call ended; the others were settled before. */
  async settle(settlement: Settlement): Promise<ReadonlySet<string>> {
    try {
      return await this.#lanes.settle(settlement);
    } catch (error) {
      if (!isUnknownGroup(error)) throw error;
      // Nothing is known to be finished: everything that Valkey hands out must be done.
      await this.table.begin("0-0");
      return this.#lanes.settle(settlement);
    }
  }

  /** Whether PostgreSQL has to know of an entry's end before Valkey does: of dead letters, and of the end of what may have been one. */
  isToBeNoted(held: HeldEntry<unknown>, { kind }: Verdict): boolean {
    return kind === "bury" || (kind === "settle" && this.isDoubtful(held));
  }

  /** Tries until PostgreSQL knows. Returns the verdict that counts; undefined when `signal` is aborted before. */
  async note(
    { id }: HeldEntry<unknown>,
    verdict: Verdict,
    { signal, onError }: { readonly signal: AbortSignal; readonly onError: (error: Error) => void },
  ): Promise<Verdict | undefined> {
    while (!signal.aborted) {
      try {
        if (verdict.kind === "bury") {
          await this.table.bury(id, { reason: describeError(verdict.error), attempts: verdict.attempts }, signal);
          if (!(await this.table.isDead(id, signal))) return { kind: "drop", error: this.#endedBefore(id, verdict.error) };
        } else {
          await this.table.complete([id], signal);
        }
        return verdict;
      } catch (error) {
        if (signal.aborted) break;
        onError(toError(error));
        await delay(1_000, signal);
      }
    }
    return undefined;
  }

  #endedBefore(id: string, cause: Error): KeylineError {
    const message = `Entry ${id} had ended well for group ${this.#log.name} when this attempt failed: it is no dead letter`;
    return new KeylineError("LEASE_LOST", message, { cause });
  }

  /** Hands out the dead letters that are marked for it, unless they are under way, or the group is to read them yet. */
  async handOutRedriven(): Promise<void> {
    for (let after = "0-0"; ;) {
      const marked = await this.table.listRedriven(after, redrivenPage);
      const there = marked.filter(({ data }) => data !== undefined);
      if (there.length > 0) await this.log.handOut(there);
      const last = marked.at(-1);
      if (!last || marked.length < redrivenPage) return;
      after = last.id;
    }
  }

  async #floorOf(start: string): Promise<string> {
    const { last, dropped } = await this.events.status();
    if (start === "$") return last;
    return compareIds(start, dropped) > 0 ? start : dropped;
  }
}
