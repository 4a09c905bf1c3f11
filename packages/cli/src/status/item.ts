import type { Keyline } from "keyline";
import { groupProblems, latelyMinutes, queueProblems, type Problem } from "./problems.ts";

/** A queue or a stream as the overview has it. Of a stream all groups count together. */
export interface Item {
  readonly kind: "queue" | "stream";
  readonly name: string;
  readonly transactional: boolean;
  readonly waiting: number;
  readonly running: number;
  readonly scheduled: number;
  readonly dead: number;
  /** Since when the oldest waits, in milliseconds since 1970. */
  readonly oldestAt: number | undefined;
  /** Of the last minutes, a minute. */
  readonly inPerMinute: number | undefined;
  readonly outPerMinute: number | undefined;
  readonly failedPerMinute: number | undefined;
  readonly workers: number | undefined;
  readonly problems: readonly Problem[];
}

type Directory = Keyline["directory"];
type QueueEntry = Awaited<ReturnType<Directory["queues"]>>[number];
type StreamEntry = Awaited<ReturnType<Directory["streams"]>>[number];

export async function queueItem({ name, transactional, open }: QueueEntry, maxAgeMs: number): Promise<Item> {
  const queue = open();
  const [counts, rates, workers] = await Promise.all([queue.counts(), queue.rates({ minutes: latelyMinutes }), queue.workers()]);
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
  const groups = await stream.groups();
  const now = Date.now();
  const sum = (of: (group: (typeof groups)[number]) => number): number => groups.reduce((all, group) => all + of(group), 0);
  const pendingSince = groups.flatMap(({ oldestPendingAt }) => oldestPendingAt ?? []);
  return {
    kind: "stream",
    name,
    transactional,
    waiting: sum(({ lag }) => lag),
    running: sum(({ pending }) => pending),
    scheduled: 0,
    dead: sum(({ dead }) => dead),
    oldestAt: pendingSince.length === 0 ? undefined : Math.min(...pendingSince),
    inPerMinute: undefined,
    outPerMinute: undefined,
    failedPerMinute: undefined,
    workers: sum(({ consumers }) => consumers),
    problems: groups.flatMap((group) => groupProblems(group, { now, maxAgeMs })),
  };
}

function aMinute(count: number): number {
  return Math.round((count * 10) / latelyMinutes) / 10;
}
