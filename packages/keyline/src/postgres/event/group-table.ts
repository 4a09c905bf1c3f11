import type { PoolClient } from "pg";
import type { Database } from "../client/database.ts";
import { eventId, toEventId, toPosition } from "./event-position.ts";
import { isOutage } from "../client/failures.ts";
import { withStorableText } from "../client/refused-data.ts";
import type { Claim, Claims, ConflictCounts, HeldRow } from "../settle/settlement.ts";
import type { Statement } from "../client/statement.ts";

/** A dead letter of a group, as the record has it. */
export interface DeadEvent {
  readonly id: string;
  readonly key: string | undefined;
  /** As JSON; undefined where retention dropped the event. */
  readonly data: string | undefined;
  /** Of whoever appended it, where it is to be handed out again. */
  readonly trace?: string | undefined;
  readonly reason: string;
  readonly attempts: number;
  readonly at: number;
}

export interface DeadRow extends Omit<DeadEvent, "key" | "data" | "trace"> {
  readonly key: string | null;
  readonly data: string | null;
  readonly trace?: string | null;
}

const begin: Statement = {
  name: "keyline-begin-group",
  text: `INSERT INTO keyline.consumer_group (stream, name, floor) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
};
const read: Statement = {
  name: "keyline-read-group",
  isQuick: true,
  text: `SELECT floor::text AS floor, lost::float8 AS lost, resets, coalesce(
      (SELECT max(position) FROM keyline.settled_event WHERE stream = $1 AND group_name = $2), 0
    )::text AS last FROM keyline.consumer_group WHERE stream = $1 AND name = $2`,
};
const takeLoss: Statement = {
  name: "keyline-take-loss",
  text: `UPDATE keyline.consumer_group AS owner SET untold = 0, untold_from = NULL, untold_to = NULL FROM (
      SELECT untold, untold_from, untold_to FROM keyline.consumer_group WHERE stream = $1 AND name = $2 AND untold > 0 FOR UPDATE
    ) AS told
    WHERE stream = $1 AND name = $2
    RETURNING told.untold::float8 AS entries, told.untold_from::text AS from, told.untold_to::text AS to`,
};
const settle: Statement = {
  name: "keyline-settle-events",
  text: "SELECT owed::text[] AS owed, xid FROM keyline.settle_events($1, $2, $3, $4)",
};
const bury: Statement = { name: "keyline-bury-event", text: "SELECT keyline.bury_event($1, $2, $3, $4, $5)" };
const isDead: Statement = {
  name: "keyline-is-dead-event",
  text: "SELECT FROM keyline.settled_event WHERE stream = $1 AND group_name = $2 AND position = $3 AND dead_reason IS NOT NULL",
};
const complete: Statement = {
  name: "keyline-complete-redriven",
  text: `UPDATE keyline.settled_event SET dead_reason = NULL, redriven = false, settled_at = now()
    WHERE stream = $1 AND group_name = $2 AND position = ANY($3::bigint[]) AND redriven`,
};
const findSettled: Statement = {
  name: "keyline-find-settled",
  text: `SELECT held::text AS position FROM unnest($3::bigint[]) AS held
    LEFT JOIN keyline.settled_event AS settled ON settled.stream = $1 AND settled.group_name = $2 AND settled.position = held
    WHERE CASE WHEN settled.position IS NULL
      THEN held <= (SELECT floor FROM keyline.consumer_group WHERE stream = $1 AND name = $2) ELSE NOT settled.redriven END`,
};
const moveFloor: Statement = {
  name: "keyline-move-floor",
  text: "UPDATE keyline.consumer_group SET floor = $3 WHERE stream = $1 AND name = $2 AND floor < $3 AND resets = $4",
};
const forget: Statement = { name: "keyline-forget-settled", text: "SELECT keyline.forget_settled($1, $2) AS forgotten" };

/** Of a group: what is behind it says which. */
export const letters = `SELECT ${eventId.replaceAll("position", "settled.position")} AS id, event.key, event.data, dead_reason AS reason, attempts,
  floor(extract(epoch FROM settled_at) * 1000)::float8 AS at
  FROM keyline.settled_event AS settled LEFT JOIN keyline.event AS event ON event.stream = settled.stream AND event.position = settled.position
  WHERE settled.stream = $1 AND group_name = $2 AND dead_reason IS NOT NULL`;
const listRedriven: Statement = {
  name: "keyline-list-redriven",
  isQuick: true,
  text: `${letters.replace("event.data,", "event.data, event.trace,")} AND redriven AND settled.position > $4 ORDER BY settled.position LIMIT $3`,
};
const countDead: Statement = {
  name: "keyline-count-dead-events",
  isQuick: true,
  text: `SELECT count(*)::integer AS dead FROM keyline.settled_event
    WHERE stream = $1 AND group_name = $2 AND dead_reason IS NOT NULL AND NOT redriven`,
};
// What retention dropped has nothing that could be handed out. An array, as a plan may run a subquery that it joins more than once, and each time others are found.
const redrive: Statement = {
  name: "keyline-redrive-events",
  text: `UPDATE keyline.settled_event AS settled SET redriven = true
    WHERE stream = $1 AND group_name = $2 AND position = ANY (ARRAY(
      SELECT position FROM keyline.settled_event AS dead
      WHERE stream = $1 AND group_name = $2 AND dead_reason IS NOT NULL AND NOT redriven
        AND EXISTS (SELECT FROM keyline.event WHERE stream = $1 AND event.position = dead.position)
      ORDER BY position LIMIT $3 FOR UPDATE SKIP LOCKED
    )) RETURNING settled.position`,
};
const remove = [
  { name: "keyline-remove-group", text: "DELETE FROM keyline.consumer_group WHERE stream = $1 AND name = $2" },
  { name: "keyline-remove-settled", text: "DELETE FROM keyline.settled_event WHERE stream = $1 AND group_name = $2" },
] satisfies Statement[];

const list: Statement = { name: "keyline-list-groups", isQuick: true, text: "SELECT name FROM keyline.consumer_group WHERE stream = $1" };

/** The names of the groups of a transactional stream. */
export async function listGroups(database: Database, stream: string): Promise<string[]> {
  return (await database.query<{ name: string }>(list, [stream])).map(({ name }) => name);
}

/** What one consumer group of a transactional stream has finished. */
export class GroupTable implements Claims {
  readonly database: Database;
  readonly counts: ConflictCounts;
  readonly #names: readonly [stream: string, group: string];

  constructor(
    database: Database,
    { stream, group, counts }: { readonly stream: string; readonly group: string; readonly counts: ConflictCounts },
  ) {
    this.database = database;
    this.counts = counts;
    this.#names = [stream, group];
  }

  /** The floor, the last event that is known to be settled, how many were ever lost, and how often it was reset. Undefined where there is no such group. */
  async place(): Promise<
    { readonly floor: string; readonly lastSettled: string; readonly lost: number; readonly resets: number } | undefined
  > {
    const [row] = await this.database.query<{ floor: string; last: string; lost: number; resets: number }>(read, this.#names);
    return row && { floor: toEventId(row.floor), lastSettled: toEventId(row.last), lost: row.lost, resets: row.resets };
  }

  /** What retention dropped before the group had finished it, of which nobody was told yet. */
  async takeLoss(): Promise<{ readonly from: string; readonly to: string; readonly entries: number } | undefined> {
    const [row] = await this.database.query<{ entries: number; from: string; to: string }>(takeLoss, this.#names);
    return row && { from: toEventId(row.from), to: toEventId(row.to), entries: row.entries };
  }

  /** Makes the group, with everything up to `floor` finished, where it is not there. */
  async begin(floor: string): Promise<void> {
    await this.database.query(begin, [...this.#names, toPosition(floor)]);
  }

  async claim(client: PoolClient, held: readonly HeldRow[]): Promise<Claim> {
    const ids = new Map(held.map(({ id }) => [toPosition(id), id]));
    const mayBeRedriven = held.some(({ attempts, isAgain }) => attempts > 0 || isAgain === true);
    try {
      const values = [...this.#names, [...ids.keys()], mayBeRedriven];
      const { rows } = await client.query<{ owed: string[] | null; xid: string }>(this.database.prepared(settle, values));
      const owed = (rows[0]?.owed ?? []).flatMap((position) => ids.get(position) ?? []);
      return { owed: new Set(owed), xid: owed.length > 0 ? rows[0]?.xid : undefined };
    } catch (error) {
      throw this.database.explain(error, client);
    }
  }

  /** Writes down a dead letter, unless the event is finished. Waits for PostgreSQL while that is away. */
  async bury(id: string, { reason, attempts }: { readonly reason: string; readonly attempts: number }, signal: AbortSignal): Promise<void> {
    const write = (text: string): Promise<unknown> => this.#insist(signal, bury, [...this.#names, toPosition(id), text, attempts]);
    await withStorableText(reason, write).catch(async (error: unknown) => {
      if (!isUnknownGroup(error)) throw error;
      await this.begin("0-0");
      await withStorableText(reason, write);
    });
  }

  /** Whether there is a dead letter of the event. Waits for PostgreSQL while that is away. */
  async isDead(id: string, signal: AbortSignal): Promise<boolean> {
    return (await this.#insist(signal, isDead, [...this.#names, toPosition(id)])).length > 0;
  }

  /** Notes of events that ended without a settle, in case they were dead letters before. Waits for PostgreSQL while that is away. */
  async complete(ids: readonly string[], signal: AbortSignal): Promise<void> {
    await this.#insist(signal, complete, [...this.#names, ids.map(toPosition)]);
  }

  /** Those of the events that are finished. */
  async findSettled(ids: readonly string[]): Promise<ReadonlySet<string>> {
    const byPosition = new Map(ids.map((id) => [toPosition(id), id]));
    const rows = await this.database.query<{ position: string }>(findSettled, [...this.#names, [...byPosition.keys()]]);
    return new Set(rows.flatMap(({ position }) => byPosition.get(position) ?? []));
  }

  /** Notes that everything up to `floor` is finished, unless the group was reset more often than that. */
  async moveFloor(floor: string, resets: number): Promise<void> {
    await this.database.query(moveFloor, [...this.#names, toPosition(floor), resets]);
  }

  /** Forgets what is settled and below the floor, as soon as nobody needs it. Returns how many events that were. */
  async forget(): Promise<number> {
    return (await this.database.query<{ forgotten: number }>(forget, this.#names))[0]?.forgotten ?? 0;
  }

  async countDead(): Promise<number> {
    return (await this.database.query<{ dead: number }>(countDead, this.#names))[0]?.dead ?? 0;
  }

  /** Has the oldest dead letters be handed out again. Returns how many those are. */
  async redrive(limit: number): Promise<number> {
    return (await this.database.query(redrive, [...this.#names, limit])).length;
  }

  /** Dead letters that are to be handed out again, oldest first. */
  async listRedriven(after: string, limit: number): Promise<DeadEvent[]> {
    return (await this.database.query<DeadRow>(listRedriven, [...this.#names, limit, toPosition(after)])).map((row) => ({
      ...toDeadEvent(row),
      trace: row.trace ?? undefined,
    }));
  }

  async remove(): Promise<void> {
    for (const statement of remove) await this.database.query(statement, this.#names);
  }

  async #insist(signal: AbortSignal, statement: Statement, values: readonly unknown[]): Promise<readonly unknown[]> {
    for (;;) {
      try {
        return await this.database.query(statement, values);
      } catch (error) {
        if (!isOutage(error) || signal.aborted) throw error;
        await this.database.whenAvailable(signal);
      }
    }
  }
}

/** The group's row is gone, as after PostgreSQL was set back to a time before the group. */
export function isUnknownGroup(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "P0002";
}

export function toDeadEvent({ trace: _, ...row }: DeadRow): DeadEvent {
  return { ...row, key: row.key ?? undefined, data: row.data ?? undefined };
}
