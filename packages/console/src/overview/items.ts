import type { OverviewItem } from "../api/overview.ts";
import type { KnownChannel } from "../channel/channel-view.ts";
import type { Patience } from "../library/patience.ts";
import { perMinute, toSpark } from "../queue/counted.ts";
import { queueProblems } from "../queue/queue-problems.ts";
import type { KnownQueue } from "../queue/queue-view.ts";
import { streamProblems } from "../stream/stream-problems.ts";
import type { KnownStream } from "../stream/stream-view.ts";

export async function queueItem({ name, transactional, thing: queue }: KnownQueue, patience: Patience): Promise<OverviewItem> {
  const [counts, rates, workers] = await Promise.all([
    patience.for(() => queue.counts({ known: true }), transactional ? undefined : "valkey"),
    patience.for(() => queue.rates({ minutes: 60 }), "valkey"),
    patience.for(() => queue.workers({ jobs: false }), "valkey"),
  ]);
  const oldestWaitingMs = counts?.oldestWaitingAt === undefined ? undefined : Math.max(0, Date.now() - counts.oldestWaitingAt);
  return {
    kind: "queue",
    name,
    transactional,
    depth: counts ? counts.waiting + counts.blocked : null,
    blocked: counts?.blocked ?? null,
    oldestMs: oldestWaitingMs ?? null,
    inRate: rates ? perMinute(rates.minutes, ({ added }) => added) : null,
    outRate: rates ? perMinute(rates.minutes, ({ completed }) => completed) : null,
    failedRate: rates ? perMinute(rates.minutes, ({ failed }) => failed) : null,
    deadCount: counts?.dead ?? null,
    paused: counts?.paused ?? false,
    workers: workers?.length ?? null,
    spark: rates ? toSpark(rates.minutes) : [],
    problems: queueProblems({ counts, rates, workers: workers?.length, oldestWaitingMs }),
  };
}

export async function streamItem({ name, transactional, thing: stream }: KnownStream, patience: Patience): Promise<OverviewItem> {
  const [groups, rates] = await Promise.all([
    patience.for(() => stream.groups(), transactional ? undefined : "valkey"),
    patience.for(() => stream.rates({ minutes: 60 }), "valkey"),
  ]);
  const now = Date.now();
  const oldest = Math.min(...(groups ?? []).map(({ oldestPendingAt }) => oldestPendingAt ?? Infinity));
  const minutes = rates?.minutes ?? [];
  return {
    kind: "stream",
    name,
    transactional,
    blocked: null,
    depth: groups ? Math.max(0, ...groups.map(({ lag, pending }) => lag + pending)) : null,
    oldestMs: Number.isFinite(oldest) ? Math.max(0, now - oldest) : null,
    inRate: rates ? perMinute(minutes, ({ appended }) => appended) : null,
    outRate: rates ? perMinute(minutes, ({ consumed }) => consumed) : null,
    failedRate: rates ? perMinute(minutes, ({ failed }) => failed) : null,
    deadCount: groups ? groups.reduce((sum, { dead }) => sum + dead, 0) : null,
    paused: false,
    workers: groups ? groups.reduce((sum, { consumers }) => sum + consumers, 0) : null,
    spark: minutes.map(({ at, appended, consumed, failed }) => ({ at, in: appended, out: consumed, failed })),
    problems: streamProblems(groups, rates, now),
  };
}

export async function channelItem({ name, thing: channel }: KnownChannel, patience: Patience): Promise<OverviewItem> {
  const rates = await patience.for(() => channel.rates({ minutes: 60 }), "valkey");
  const minutes = rates?.minutes ?? [];
  return {
    kind: "channel",
    name,
    transactional: false,
    depth: null,
    blocked: null,
    oldestMs: null,
    inRate: rates ? perMinute(minutes, ({ published }) => published) : null,
    outRate: rates ? perMinute(minutes, ({ received }) => received) : null,
    failedRate: null,
    deadCount: null,
    paused: false,
    workers: null,
    spark: minutes.map(({ at, published, received }) => ({ at, in: published, out: received, failed: 0 })),
    problems: [],
  };
}
