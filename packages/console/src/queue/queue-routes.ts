import { groupsQuery, type GroupsPage } from "../api/group.ts";
import { ratesQuery, type QueueRates, type QueueStores } from "../api/queue.ts";
import type { Desk } from "../desk.ts";
import { parse } from "../http/json-body.ts";
import type { Ask, Route } from "../http/router.ts";
import { readMatching, readPage } from "../library/pages.ts";
import { patiently } from "../library/patience.ts";
import { toQueueRates } from "./rates-view.ts";
import { readQueue, toLimits, type KnownQueue } from "./queue-view.ts";

const patienceMs = 4_000;

/** A queue, as it is looked at. */
export function queueRoutes(desk: Desk): Route[] {
  const find = ({ param }: Ask): Promise<KnownQueue> => desk.shapes.queues.find(param("queue"));
  return [
    { method: "GET", path: "queues/:queue", answer: async (ask) => readQueue(desk, await find(ask)) },
    { method: "GET", path: "queues/:queue/rates", answer: async (ask) => readRates(desk, await find(ask), ask) },
    { method: "GET", path: "queues/:queue/stores", answer: async (ask) => readStores(desk, await find(ask)) },
    { method: "GET", path: "queues/:queue/groups", answer: async (ask) => readGroups(desk, await find(ask), ask) },
    {
      method: "GET",
      path: "queues/:queue/limits",
      answer: async (ask) => toLimits(await patiently(desk.health, (await find(ask)).thing.limits(), patienceMs)),
    },
  ];
}

async function readRates({ health }: Desk, { thing: queue }: KnownQueue, { query }: Ask): Promise<QueueRates> {
  const { minutes, hours } = parse(ratesQuery, query);
  const rates = await patiently(health, queue.rates(hours === undefined ? { minutes: minutes ?? 60 } : { hours }), patienceMs);
  return toQueueRates(rates, hours === undefined ? "minute" : "hour");
}

async function readStores({ health }: Desk, { thing: queue }: KnownQueue): Promise<QueueStores> {
  const { valkey, postgres, undelivered, difference } = await patiently(health, queue.stores(), patienceMs);
  return { valkey: valkey ?? null, postgres: postgres ?? null, undelivered: undelivered ?? null, difference: difference ?? null };
}

async function readGroups({ health }: Desk, { thing: queue }: KnownQueue, { query }: Ask): Promise<GroupsPage> {
  const { state, cursor, limit } = parse(groupsQuery, query);
  const all = queue.groups(cursor === undefined ? {} : { cursor });
  const isMeant = state === undefined ? undefined : (group: { readonly state: string }): boolean => group.state === state;
  const { rows, next } = await (isMeant ? readMatching(health, all, { limit, fits: isMeant }) : readPage(health, all, { limit }));
  const groups = rows.map(({ name, state, waiting, blockedBy, since }) => ({
    name,
    state,
    waiting,
    blockedBy: blockedBy ?? null,
    since: since ?? null,
  }));
  return { groups, isFromRows: rows.some(({ isFromRows }) => isFromRows), next };
}
