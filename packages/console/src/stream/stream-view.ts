import type { ConsumerInfo, GroupStatus } from "keyline";
import type { StreamGroup, StreamView } from "../api/stream.ts";
import type { AnyStream } from "../console-options.ts";
import type { Desk } from "../desk.ts";
import { inTurns } from "../library/in-turns.ts";
import type { Known } from "../library/known-things.ts";
import { Patience } from "../library/patience.ts";
import type { StreamTraits } from "../library/shapes.ts";
import { toLosses } from "../overview/losses.ts";
import { perMinute } from "../queue/counted.ts";
import { streamProblems } from "./stream-problems.ts";

export type KnownStream = Known<AnyStream, StreamTraits>;

const mostGroups = 200;

/** A stream as it is now. Never waits for long. */
export async function readStream({ health }: Desk, { name, transactional, hasKeys, thing: stream }: KnownStream): Promise<StreamView> {
  const patience = new Patience(health);
  const [stores, info, statuses, rates] = await Promise.all([
    health.stores(),
    patience.for(() => stream.info()),
    patience.for(() => stream.groups()),
    patience.for(() => stream.rates({ minutes: 60 }), "valkey"),
  ]);
  const groups = statuses && (await inTurns(statuses.slice(0, mostGroups), 8, (status) => readGroup(stream, status, patience)));
  const at = Date.now();
  const minutes = rates?.minutes ?? [];
  return {
    at,
    stores,
    name,
    transactional,
    hasKeys,
    length: info?.length ?? null,
    firstId: info?.firstId ?? null,
    lastId: info?.lastId ?? null,
    groups: groups ?? null,
    rates: rates
      ? {
          appended: perMinute(minutes, ({ appended }) => appended),
          consumed: perMinute(minutes, ({ consumed }) => consumed),
          failed: perMinute(minutes, ({ failed }) => failed),
          dead: perMinute(minutes, ({ dead }) => dead),
        }
      : null,
    losses: rates ? toLosses(rates) : null,
    spark: minutes.map(({ at, appended, consumed, failed }) => ({ at, in: appended, out: consumed, failed })),
    problems: streamProblems(statuses, rates, at),
  };
}

/** One group with its consumers. */
export async function readGroup(stream: AnyStream, status: GroupStatus, patience: Patience): Promise<StreamGroup> {
  const consumers = status.consumers === 0 ? [] : await patience.for(() => stream.group(status.name).consumers(), "valkey");
  return {
    name: status.name,
    lag: status.lag ?? null,
    pending: status.pending,
    oldestPendingAt: status.oldestPendingAt ?? null,
    retrying: status.retrying,
    dead: status.dead,
    lost: status.lost,
    lastSeenAt: status.lastSeenAt ?? null,
    consumers: (consumers ?? []).map(toConsumer),
    consumerCount: status.consumers,
  };
}

function toConsumer({ id, host, pid, version, concurrency, startedAt, running }: ConsumerInfo): StreamGroup["consumers"][number] {
  return {
    id,
    host: host ?? null,
    pid: pid ?? null,
    version: version ?? null,
    concurrency: concurrency ?? null,
    startedAt: startedAt ?? null,
    running,
  };
}
