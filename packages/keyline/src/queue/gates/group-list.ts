import { Iteration } from "../../runtime/iteration.ts";
import { PagedSource } from "../../runtime/paged-source.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import { asRead } from "../../valkey/client/as-read.ts";
import { unlessAway } from "../../valkey/client/unless-away.ts";
import type { GateTable } from "../../postgres/job/gate-table.ts";
import { wordsOf } from "../../valkey/queue/group-texts.ts";
import { writeCursor, type GroupPlace, type GroupsQuery, type QueueGroupStatus } from "./group-query.ts";
import { groupsOfRows } from "./groups-of-rows.ts";

const page = 200;
/** The groups that have jobs: as Valkey has them, or the rows of a transactional queue while it is away. */
export function listGroups(store: QueueStore, table: GateTable | undefined, query: GroupsQuery): AsyncIterableIterator<QueueGroupStatus> {
  let pages: AsyncGenerator<readonly QueueGroupStatus[]> | undefined;
  const read = async (): Promise<readonly QueueGroupStatus[] | undefined> => {
    pages ??= table && (await isFromRows(store, query)) ? groupsOfRows(table, query) : groupsOnValkey(store, query);
    const { done, value } = await pages.next();
    return done ? undefined : value;
  };
  return new Iteration(new PagedSource(() => asRead(read())));
}

/** Who has begun with one of the two goes on with it, as each has an order of its own. */
async function isFromRows({ connection, gates }: QueueStore, { behind }: GroupsQuery): Promise<boolean> {
  if (behind) return behind.place === "rows";
  return (await unlessAway(connection, () => gates.read())) === undefined;
}

async function* groupsOnValkey(store: QueueStore, { state, behind }: GroupsQuery): AsyncGenerator<readonly QueueGroupStatus[]> {
  // There may be thousands of groups of which none has a line.
  if (state === "blocked" && (await hasNoLine(store))) return;
  for await (const places of groupPages(store, behind)) {
    const names = places.map(({ name }) => name);
    const [rules, found] = await Promise.all([store.gates.read(), store.gates.states(names)]);
    const most = Number(rules["group.concurrency"] ?? 1);
    yield found
      .map(([admitted, waiting, isPaused], index) => statusOf(places[index], { admitted, waiting, isPaused, most }))
      .filter((status) => status !== undefined)
      .filter((status) => state === undefined || status.state === state);
  }
}

async function hasNoLine({ connection, reads }: QueueStore): Promise<boolean> {
  await connection.ensureReady(5_000);
  return (await reads.counts()).blocked === 0;
}

export async function* groupPages(store: QueueStore, behind?: GroupPlace): AsyncGenerator<GroupPlace[]> {
  await store.connection.ensureReady(5_000);
  let places: GroupPlace[] = [];
  for await (const group of groupsBehind(store, behind)) {
    if (places.push(group) < page) continue;
    yield places;
    places = [];
  }
  if (places.length > 0) yield places;
}

/**
 * The part that it was in is read again, of which those up to that name have been given. Where that ends elsewhere by now (the server has made room for more, or for less) it is
 * not known which were given: all of the part comes again.
 */
async function* groupsBehind({ reads }: QueueStore, behind: GroupPlace | undefined): AsyncGenerator<GroupPlace> {
  let isFirst = behind !== undefined;
  for await (const parts of reads.groups(behind?.place.split("-")[0])) {
    for (const { begin, end, names } of parts) {
      const place = `${begin}-${end}`;
      const isSame = isFirst && place === behind?.place;
      isFirst = false;
      for (const name of names) if (!isSame || name > behind.name) yield { name, place };
    }
  }
}

function statusOf(
  group: GroupPlace | undefined,
  found: { readonly admitted: string; readonly waiting: number; readonly isPaused: boolean; readonly most: number },
): QueueGroupStatus | undefined {
  if (!group) return undefined;
  const { admitted, waiting, isPaused, most } = found;
  const words = wordsOf(admitted);
  const isBlocked = waiting > 0 && words.length / 2 >= most;
  return {
    name: group.name,
    state: isPaused ? "paused" : isBlocked ? "blocked" : "running",
    waiting,
    blockedBy: words[0],
    since: words[1] === undefined ? undefined : Number(words[1]),
    cursor: writeCursor(group),
  };
}
