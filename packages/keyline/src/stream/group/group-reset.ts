/*
 * DESIGN. A group is set to another place while consumers run, in processes that nobody here knows of. What they run must neither end nor begin anything behind the reset: with keys an end that
 * came late would be out of its order, and on a transactional stream it would stay settled. So the group is stopped first, as by a failure that consumers know:
 *
 *   stop     one step takes away all leases and the group itself (group-reset.lua). Whoever ends or takes an entry is refused, and learns with the next renewal that its lease is lost: it aborts what
 *            it runs, takes a new lease, and cannot attach yet, as a mark says that the group is being reset
 *   wait     until all leases that there were are over by the server's time: then whoever could not be told has stopped by its own clock. Meanwhile the lines of keys are cleared, page by page
 *   record   on a transactional stream the mark gets the place, so that whoever had read the floor before does not attach there; then the floor is moved and what was settled behind it is forgotten, in
 *            one transaction. `resets` counts, so that a floor which somebody had read on Valkey before is not written
 *   go on    the mark is over: consumers attach, at the place that the mark names, or the record
 *
 * _The process dies before `record`, or PostgreSQL is away:_ the mark ends half a minute later, or at once, and the group goes on behind its old floor; what was settled above it is known. _It dies behind that, or
 * on a plain stream anywhere:_ the mark has the place, and whoever attaches when it is over begins there; where the record was not told, it says of what was finished before that it is. _Two reset the same group:_ the mark has the tag of the later one, and the first one is
 * told CONFLICT.
 */
import type { GroupTable } from "../../postgres/event/group-table.ts";
import { resetGroupRow } from "../../postgres/event/group-reset-row.ts";
import { KeylineError, toError } from "../../runtime/errors.ts";
import { randomTag } from "../../runtime/ids.ts";
import type { Logger } from "../../runtime/logger.ts";
import { delay } from "../../runtime/waiting.ts";
import type { ValkeyConnection } from "../../valkey/client/connection.ts";
import { GroupLetterLog } from "../../valkey/stream/group-letter-log.ts";
import { GroupLog } from "../../valkey/stream/group-log.ts";
import { GroupResetLog } from "../../valkey/stream/group-reset-log.ts";
import type { StreamKeys } from "../../valkey/stream/keys.ts";
import { compareIds, idBefore, isEntryId, toEntryId } from "../entry-id.ts";
import { GroupRecord, type RecordedEvents } from "./group-record.ts";

/** Where a group goes on: with the first entry there is, behind the last one, with the entry of that id or the first behind it, or with the first of that time or later. */
export type ResetPlace = "start" | "end" | (string & {}) | Date;

interface ResetParts {
  readonly stream: string;
  readonly connection: ValkeyConnection;
  readonly keys: StreamKeys;
  readonly hasKeys: boolean;
  /** Both only on a transactional stream. */
  readonly table: GroupTable | undefined;
  readonly events: RecordedEvents | undefined;
  readonly logger: Logger;
}

/** The id behind which a group begins, or "$". Throws INVALID_ID. */
export function startOf(place: ResetPlace): string {
  if (place === "end") return "$";
  if (place === "start") return "0-0";
  if (place instanceof Date || (typeof place === "string" && isEntryId(place))) return idBefore(toEntryId("reset", place, "first"));
  throw new KeylineError("INVALID_ID", 'reset takes "start", "end", the id of an entry, or a Date');
}

/** False when there is no such group. */
export async function resetGroup(name: string, parts: ResetParts, start: string): Promise<boolean> {
  const { connection, keys, hasKeys, table, events, stream } = parts;
  const tag = randomTag(12);
  const log = new GroupResetLog(connection, keys.group(name), { name, hasKeys });
  const floor = events && (await floorOf(start, events));
  const isRecorded = table !== undefined && (await table.place()) !== undefined;
  const stopsMs = await log.begin(tag, floor === undefined ? start : "");
  if (stopsMs === undefined) {
    if (!isRecorded || !table || floor === undefined) return false;
    // Valkey has lost it: nobody runs anything.
    await resetGroupRow(table.database, { stream, group: name }, floor);
    return true;
  }
  const until = Date.now() + stopsMs;
  if (hasKeys) await log.clear();
  if (!events && start !== "$") await removeLetters(new GroupLetterLog(connection, keys.group(name)), start);
  if (stopsMs > 0) await delay(until - Date.now());
  await refuseWhereLost(log.insist(tag, floor), name);
  if (table && floor !== undefined) {
    try {
      await resetGroupRow(table.database, { stream, group: name }, floor);
    } catch (error) {
      await log.giveUp(tag).catch(() => undefined);
      throw error;
    }
  }
  await refuseWhereLost(log.end(tag), name);
  await attach(name, parts, start);
  return true;
}

async function removeLetters(letters: GroupLetterLog, start: string): Promise<void> {
  await letters.adopt();
  await letters.removeBehind(start);
}

/** A group that has no consumer is to stand at its place all the same. Whoever comes first does it. */
async function attach(name: string, { connection, keys, hasKeys, table, events, logger }: ResetParts, start: string): Promise<void> {
  const log = new GroupLog(connection, keys.group(name), { name, hasKeys });
  if (!table || !events) return void (await log.attach(start, { hasRecord: false }));
  await new GroupRecord(log, { table, events, logger })
    .attach(start)
    .catch((error: unknown) => logger.debug({ group: name, error: toError(error).message }, "a group that was reset is not on Valkey yet"));
}

async function floorOf(start: string, events: RecordedEvents): Promise<string> {
  const { last, dropped } = await events.status();
  if (start === "$") return last;
  if (compareIds(start, last) > 0) return last;
  return compareIds(start, dropped) > 0 ? start : dropped;
}

async function refuseWhereLost(isOurs: Promise<boolean>, name: string): Promise<void> {
  if (await isOurs) return;
  throw new KeylineError(
    "CONFLICT",
    `Consumer group ${name} was reset by somebody else meanwhile, or went on: look where it is, and reset it once more`,
  );
}
