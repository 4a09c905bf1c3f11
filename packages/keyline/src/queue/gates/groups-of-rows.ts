import type { GateTable } from "../../postgres/job/gate-table.ts";
import { writeCursor, type GroupsQuery, type QueueGroupStatus } from "./group-query.ts";

const page = 50;

/** The groups of a transactional queue while Valkey is away: more of a group than may run at a time stand in its line, or will. */
export async function* groupsOfRows(table: GateTable, { state, behind }: GroupsQuery): AsyncGenerator<readonly QueueGroupStatus[]> {
  const record = await table.read();
  const most = record?.gates["group.concurrency"] ?? 1;
  const paused = new Set(record?.paused_groups);
  for (let after = behind?.name ?? ""; ;) {
    const rows = await table.groups(after, page);
    const groups = rows.map(({ name, open, first }): QueueGroupStatus => {
      const waiting = Math.max(0, open - most);
      return {
        name,
        state: paused.has(name) ? "paused" : waiting > 0 ? "blocked" : "running",
        waiting: paused.has(name) ? open : waiting,
        blockedBy: waiting > 0 && !paused.has(name) ? first : undefined,
        since: undefined,
        isFromRows: true,
        cursor: writeCursor({ place: "rows", name }),
      };
    });
    yield groups.filter((group) => state === undefined || group.state === state);
    if (rows.length < page) return;
    after = rows.at(-1)?.name ?? after;
  }
}
