import type { ChannelEntry, QueueEntry, StreamEntry } from "keyline";
import { groupProblems, latelyMinutes, queueProblems, type Problem } from "./problems.ts";

/** A queue, a stream or a channel as the overview has it. Of a stream all groups count together. */
export interface Item {
  readonly kind: "queue" | "stream" | "channel";
  readonly name: string;
  readonly transactional: boolean;
  /** Undefined of a channel, where nothing waits. */
  readonly waiting: number | undefined;
  readonly running: number | undefined;
  readonly scheduled: number | undefined;
  readonly dead: number | undefined;
  /** Since when the oldest waits, in milliseconds since 1970. */
  readonly oldestAt: number | undefined;
  /** Of the last minutes, a minute. */
  readonly inPerMinute: number | undefined;
  readonly outPerMinute: number | undefined;
  readonly failedPerMinute: number | undefined;
  readonly workers: number | undefined;
  readonly problems: readonly Problem[];
}

export async function queueItem({ name, transactional, open }: QueueEntry, maxAgeMs: number): Promise<Item> {
  const queue = open();
  const [counts, rates, workers] = await Promise.all([
    queue.counts(),
    queue.rates({ minutes: latelyMinutes }),
    queue.workers({ jobs: false }),
  ]);
  const { total } = rates;
  const seen = { workers: workers.length, died: total.dead, now: Date.now(), maxAgeMs };
  return {
    kind: "queue",
    name,
    transactional,
    waiting: counts.waiting + counts.blocked,
    running: counts.running,
    scheduled: counts.scheduled + counts.parked,
    dead: counts.dead,
    oldestAt: counts.oldestWaitingAt,
    inPerMinute: aMinute(total.added),
    outPerMinute: aMinute(total.completed),
    failedPerMinute: aMinute(total.failed),
    workers: workers.length,
    problems: queueProblems(counts, seen),
  };
}

export async function streamItem({ name, transactional, open }: StreamEntry, maxAgeMs: number): Promise<Item> {
  const stream = open();
  const [groups, { total }] = await Promise.all([stream.groups(), stream.rates({ minutes: latelyMinutes })]);
  const now = Date.now();
  const sum = (of: (group: (typeof groups)[number]) => number): number => groups.reduce((all, group) => all + of(group), 0);
  const pendingSince = groups.flatMap(({ oldestPendingAt }) => oldestPendingAt ?? []);
  return {
    kind: "stream",
    name,
    transactional,
    waiting: sum(({ lag }) => lag),
    running: sum(({ pending }) => pending),
    scheduled: undefined,
    dead: sum(({ dead }) => dead),
    oldestAt: pendingSince.length === 0 ? undefined : Math.min(...pendingSince),
    inPerMinute: aMinute(total.appended),
    outPerMinute: aMinute(total.consumed),
    failedPerMinute: aMinute(total.failed),
    workers: sum(({ consumers }) => consumers),
    problems: groups.flatMap((group) => groupProblems(group, { now, maxAgeMs })),
  };
}

/** Only channels that somebody lists are known. */
export async function channelItem({ name, open }: ChannelEntry): Promise<Item> {
  const { total } = await open().rates({ minutes: latelyMinutes });
  return {
    kind: "channel",
    name,
    transactional: false,
    waiting: undefined,
    running: undefined,
    scheduled: undefined,
    dead: undefined,
    oldestAt: undefined,
    inPerMinute: aMinute(total.published),
    outPerMinute: aMinute(total.received),
    failedPerMinute: undefined,
    workers: undefined,
    problems: [],
  };
}

function aMinute(count: number): number {
  return Math.round((count * 10) / latelyMinutes) / 10;
}
