import type { Health } from "../health/health.ts";
import { DurationCounts } from "../runtime/counters.ts";
import type { GroupStatus } from "../stream/group/group.ts";
import type { State, StateReader } from "./state-reader.ts";
import { samplesOf, type Labels, type MetricDefinition, type Sample } from "./told-metric.ts";

const states = ["waiting", "running", "scheduled", "blocked", "parked", "dead"] as const;

/** How the stores are, as this process sees them: every process tells it. */
export function storeMetrics(reader: StateReader): MetricDefinition[] {
  const roundTrips = new Map<string, DurationCounts>();
  let seenAt = 0;
  return [
    {
      name: "keyline_store_up",
      type: "gauge",
      help: "1 while the store answers this process, else 0",
      read: async () => {
        const { health } = await reader.read();
        return storesOf(health).map(([store, { state }]) => ({ labels: { store }, value: state === "ok" ? 1 : 0 }));
      },
    },
    {
      name: "keyline_store_roundtrip_seconds",
      type: "histogram",
      help: "How long the store took to answer, measured once for each scrape",
      read: async () => {
        const { health } = await reader.read();
        for (const [store, { roundTripMs }] of storesOf(health)) {
          const counts = roundTrips.get(store) ?? new DurationCounts();
          roundTrips.set(store, counts);
          // Scrapes within a second are told of one look.
          if (health && health.at > seenAt && roundTripMs !== undefined) counts.note(roundTripMs);
        }
        seenAt = Math.max(seenAt, health?.at ?? 0);
        return [...roundTrips].flatMap(([store, counts]) => samplesOf("keyline_store_roundtrip_seconds", { store }, counts));
      },
    },
    {
      name: "keyline_postgres_pool_connections",
      type: "gauge",
      help: "Connections to PostgreSQL that this process may have, by whether they are in use",
      read: async () => {
        const pool = (await reader.read()).health?.postgres.pool;
        if (!pool) return [];
        const { size, busy } = pool;
        return [
          { labels: { state: "busy" }, value: busy },
          { labels: { state: "free" }, value: Math.max(0, size - busy) },
        ];
      },
    },
    {
      name: "keyline_postgres_pool_waiting",
      type: "gauge",
      help: "Callers in this process that wait for a connection to PostgreSQL",
      read: async () => single((await reader.read()).health?.postgres.pool?.waiting),
    },
  ];
}

/** How everything stands, whoever did it: one process tells it. */
export function stateMetrics(reader: StateReader): MetricDefinition[] {
  const metric = (name: string, help: string, read: (state: State) => readonly Sample[]): MetricDefinition => {
    return { name: `keyline_${name}`, type: "gauge", help, aggregator: "max", read: async () => read(await reader.read()) };
  };
  const ofGroups = (name: string, help: string, read: (group: GroupStatus, now: number) => number): MetricDefinition =>
    metric(`group_${name}`, help, ({ streams, health }) => {
      const now = nowOf(health);
      return streams.flatMap(([stream, groups]) =>
        groups.map((group) => ({ labels: { stream, group: group.name }, value: read(group, now) })),
      );
    });
  return [
    metric("queue_jobs", "Jobs of each queue by state", ({ queues }) =>
      queues.flatMap(([queue, status]) => states.map((state) => ({ labels: { queue, state }, value: status[state] }))),
    ),
    metric("queue_oldest_waiting_seconds", "For how long the next job to be taken has waited, 0 where none waits", ({ queues, health }) =>
      queues.map(([queue, { oldestWaitingAt }]) => ({ labels: { queue }, value: secondsSince(oldestWaitingAt, nowOf(health)) })),
    ),
    ofGroups("lag", "Entries that were not handed out to the group yet", ({ lag }) => lag),
    ofGroups("pending", "Entries that were handed out to the group and have not ended", ({ pending }) => pending),
    ofGroups("oldest_pending_seconds", "How long ago the earliest pending entry was appended, 0 where there is none", (group, now) =>
      secondsSince(group.oldestPendingAt, now),
    ),
    ofGroups("dead", "Dead letters of the group", ({ dead }) => dead),
    metric("channel_listeners", "Connections that are subscribed to the channel by its name, one for each process", ({ listeners }) =>
      listeners.map(([channel, { connections }]) => ({ labels: { channel }, value: connections })),
    ),
    metric(
      "relay_backlog",
      "Committed jobs, messages and events that nobody is known to have brought to Valkey, up to 10,000 of each",
      (state) => single(state.health?.postgres.relay?.backlog),
    ),
    metric("relay_lag_seconds", "For how long the oldest of these has been committed, 0 where there is none", ({ health }) =>
      single(health?.postgres.relay && (health.postgres.relay.oldestMs ?? 0) / 1_000),
    ),
    metric("valkey_memory_used_bytes", "Memory that Valkey uses", ({ health }) => single(health?.valkey.memory?.usedBytes)),
    metric("valkey_memory_max_bytes", "Memory that Valkey may use, 0 where there is no limit", ({ health }) =>
      single(health?.valkey.memory?.maxBytes),
    ),
    metric("valkey_noeviction", "1 where Valkey refuses writes when its memory is full, 0 where it throws keys away", ({ health }) =>
      single(health?.valkey.memory && (health.valkey.memory.policy === "noeviction" ? 1 : 0)),
    ),
    metric("valkey_connections", "Connections that Valkey has, of everybody", ({ health }) => single(health?.valkey.connections?.used)),
    metric("valkey_connections_max", "Connections that Valkey takes", ({ health }) => single(health?.valkey.connections?.max)),
    {
      ...metric("valkey_evicted_keys_total", "Keys that Valkey has thrown away since it started", ({ health }) =>
        single(health?.valkey.evictedKeys),
      ),
      type: "counter",
    },
    metric("state_unread", "Queues, streams and channels that could not be read for this scrape", ({ unread }) => single(unread)),
  ];
}

function storesOf(
  health: Health | undefined,
): (readonly [store: string, one: Pick<Health["valkey"] | Health["postgres"], "state" | "roundTripMs">])[] {
  if (!health) return [];
  const { valkey, postgres } = health;
  return [["valkey", valkey] as const, ...(postgres.state === "unused" ? [] : [["postgres", postgres] as const])];
}

const none: Labels = {};

function single(value: number | undefined): Sample[] {
  return value === undefined ? [] : [{ labels: none, value }];
}

/** By Valkey's clock, which is the one by which things waited. */
function nowOf(health: Health | undefined): number {
  return Date.now() + (health?.valkey.clockSkewMs ?? 0);
}

function secondsSince(at: number | undefined, now: number): number {
  return at === undefined ? 0 : Math.max(0, now - at) / 1_000;
}
