import type { ChannelEntry, GroupStatus, QueueEntry, StreamEntry } from "keyline";
import type { Ask } from "../connection/known.ts";
import { groupProblems, latelyMinutes, queueProblems, type Problem } from "./problems.ts";
import { queueFigures } from "./queue-figures.ts";

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
  /** Both stores had their say. Else some of the figures are undefined, or as they were a moment ago. */
  readonly isComplete: boolean;
}

/** How it is looked at. */
export interface Look {
  readonly ask: Ask;
  readonly maxAgeMs: number;
}

export async function queueItem({ name, transactional, open }: QueueEntry, { ask, maxAgeMs }: Look): Promise<Item> {
  const queue = open();
  const [status, rates, workers] = await Promise.all([
    ask(queue.counts({ known: true })),
    ask(queue.rates({ minutes: latelyMinutes })),
    ask(queue.workers({ jobs: false })),
  ]);
  const { counts, isComplete } = queueFigures(status, rates);
  const seen = { workers: workers?.length, died: rates?.total.dead ?? 0, now: Date.now(), maxAgeMs };
  return {
    kind: "queue",
    name,
    transactional,
    waiting: counts && counts.waiting + counts.blocked,
    running: status?.isFromRows ? undefined : counts?.running,
    scheduled: counts && counts.scheduled + (counts.parked ?? 0),
    dead: counts?.dead,
    oldestAt: status?.oldestWaitingAt,
    ...ratesOf(rates && { in: rates.total.added, out: rates.total.completed, failed: rates.total.failed }),
    workers: workers?.length,
    problems: status ? queueProblems(status, seen) : [],
    isComplete,
  };
}

export async function streamItem({ name, transactional, open }: StreamEntry, { ask, maxAgeMs }: Look): Promise<Item> {
  const stream = open();
  const [groups, rates] = await Promise.all([ask(stream.groups()), ask(stream.rates({ minutes: latelyMinutes }))]);
  const now = Date.now();
  const sum = (of: (group: GroupStatus) => number): number | undefined => groups?.reduce((all, group) => all + of(group), 0);
  const pendingSince = (groups ?? []).flatMap(({ oldestPendingAt }) => oldestPendingAt ?? []);
  return {
    kind: "stream",
    name,
    transactional,
    waiting: sum(({ lag }) => lag),
    running: sum(({ pending }) => pending),
    scheduled: undefined,
    dead: sum(({ dead }) => dead),
    oldestAt: pendingSince.length === 0 ? undefined : Math.min(...pendingSince),
    ...ratesOf(rates && { in: rates.total.appended, out: rates.total.consumed, failed: rates.total.failed }),
    workers: sum(({ consumers }) => consumers),
    problems: (groups ?? []).flatMap((group) => groupProblems(group, { now, maxAgeMs })),
    isComplete: groups !== undefined && rates !== undefined,
  };
}

/** Only channels that somebody lists are known. */
export async function channelItem({ name, open }: ChannelEntry, { ask }: Look): Promise<Item> {
  const rates = await ask(open().rates({ minutes: latelyMinutes }));
  return {
    kind: "channel",
    name,
    transactional: false,
    waiting: undefined,
    running: undefined,
    scheduled: undefined,
    dead: undefined,
    oldestAt: undefined,
    ...ratesOf(rates && { in: rates.total.published, out: rates.total.received, failed: undefined }),
    workers: undefined,
    problems: [],
    isComplete: rates !== undefined,
  };
}

function ratesOf(
  total: { readonly in: number; readonly out: number; readonly failed: number | undefined } | undefined,
): Pick<Item, "inPerMinute" | "outPerMinute" | "failedPerMinute"> {
  return { inPerMinute: aMinute(total?.in), outPerMinute: aMinute(total?.out), failedPerMinute: aMinute(total?.failed) };
}

function aMinute(count: number | undefined): number | undefined {
  return count === undefined ? undefined : Math.round((count * 10) / latelyMinutes) / 10;
}
