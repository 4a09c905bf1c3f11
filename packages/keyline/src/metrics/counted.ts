/*
 * DESIGN. What this process has done: each number of runtime/counters.ts as a metric. Every process tells it of itself, and Prometheus adds it up.
 */
import type { ChannelCounts, DurationCounts, GroupCounts, QueueCounts, ShiftCounts, StreamCounts } from "../runtime/counters.ts";
import { samplesOf, type Labels, type MetricDefinition, type Sample } from "./told-metric.ts";

type Named<Counts> = readonly (readonly [name: string, counts: Counts])[];

/** What was counted of whatever is to be told. */
export interface CountedSources {
  queues(): Named<QueueCounts>;
  streams(): Named<StreamCounts>;
  channels(): Promise<Named<ChannelCounts>>;
  readonly patterns: ChannelCounts;
}

type Kind = "counter" | "gauge";
type Read<Counts> = (counts: Counts) => number;

export function countedMetrics(sources: CountedSources): MetricDefinition[] {
  return [
    ...queueMetrics(sources),
    ...groupMetrics(sources),
    ...sharedMetrics(sources),
    ...channelMetrics(sources),
    ...patternMetrics(sources),
  ];
}

function queueMetrics({ queues }: CountedSources): MetricDefinition[] {
  const metric = (type: Kind, name: string, help: string, read: Read<QueueCounts>): MetricDefinition => {
    return { name: `keyline_${name}`, type, help, read: () => samplesOfQueues(queues(), read) };
  };
  const durations = (name: string, help: string, read: (counts: QueueCounts) => DurationCounts): MetricDefinition => {
    return { name, type: "histogram", help, read: () => queues().flatMap(([queue, counts]) => samplesOf(name, { queue }, read(counts))) };
  };
  return [
    metric("counter", "queue_added_total", "Jobs that this process added", ({ added }) => added),
    metric("counter", "queue_completed_total", "Jobs that this process completed", ({ completed }) => completed),
    metric("counter", "queue_failed_total", "Attempts that failed, the last one of a job that died included", ({ failed }) => failed),
    metric("counter", "queue_retried_total", "Failed attempts after which the job is tried again", ({ retried }) => retried),
    metric("counter", "queue_dead_total", "Jobs that became dead letters", ({ dead }) => dead),
    metric("counter", "queue_cancelled_total", "Jobs that were cancelled", ({ cancelled }) => cancelled),
    metric("counter", "queue_overtaken_total", "Attempts that came to nothing, as the job was another worker's by then", overtakenOf),
    metric("counter", "rescued_jobs_total", "Jobs that this process took back from workers that were gone", rescuedOf),
    metric("counter", "rebuild_total", "Times that open jobs were looked at again because Valkey had another memory", rebuildsOf),
    metric("gauge", "worker_running", "Attempts that run in this process", sumOf("running")),
    metric("gauge", "worker_capacity", "Attempts that may run at once in this process", sumOf("capacity")),
    durations("keyline_queue_run_seconds", "How long attempts ran", ({ ran }) => ran),
    durations("keyline_queue_wait_seconds", "How long jobs had been due when their first attempt began", ({ waited }) => waited),
  ];
}

function groupMetrics({ streams }: CountedSources): MetricDefinition[] {
  const metric = (type: Kind, name: string, help: string, read: Read<GroupCounts>): MetricDefinition => {
    return { name: `keyline_${name}`, type, help, read: () => samplesOfGroups(streams(), read) };
  };
  return [
    {
      name: "keyline_stream_appended_total",
      type: "counter",
      help: "Events that this process appended",
      read: () => streams().map(([stream, { appended }]) => ({ labels: { stream }, value: appended })),
    },
    metric("counter", "group_completed_total", "Entries that this process finished", ({ completed }) => completed),
    metric("counter", "group_failed_total", "Attempts that failed, the last one of an entry that died included", ({ failed }) => failed),
    metric("counter", "group_retried_total", "Failed attempts after which the entry is tried again", ({ retried }) => retried),
    metric("counter", "group_dead_total", "Entries that became dead letters", ({ dead }) => dead),
    metric("counter", "group_overtaken_total", "Attempts that came to nothing, as the entry was another consumer's by then", overtakenOf),
    metric("counter", "rescued_entries_total", "Entries that this process took back from consumers that were gone", rescuedOf),
    metric("gauge", "consumer_running", "Entries that are worked on in this process", sumOf("running")),
    metric("gauge", "consumer_capacity", "Entries that may be worked on at once in this process", sumOf("capacity")),
  ];
}

/** Of queues, and of groups of streams: the labels say which. */
function sharedMetrics({ queues, streams }: CountedSources): MetricDefinition[] {
  const metric = (name: string, help: string, read: Read<QueueCounts | GroupCounts>): MetricDefinition => {
    const all = (): Sample[] => [...samplesOfQueues(queues(), read), ...samplesOfGroups(streams(), read)];
    return { name: `keyline_${name}`, type: "counter", help, read: all };
  };
  return [
    metric("lease_lost_total", "Leases that workers and consumers of this process lost", ({ leasesLost }) => leasesLost),
    metric(
      "settle_conflicts_total",
      "Settles that were done once more, as another transaction stood in their way",
      ({ settleConflicts }) => settleConflicts,
    ),
  ];
}

function channelMetrics({ channels }: CountedSources): MetricDefinition[] {
  const metric = (name: string, help: string, read: Read<ChannelCounts>): MetricDefinition => ({
    name: `keyline_channel_${name}`,
    type: "counter",
    help,
    read: async () => (await channels()).map(([channel, counts]) => ({ labels: { channel }, value: read(counts) })),
  });
  return [
    metric("published_total", "Messages that this process published", ({ published }) => published),
    metric("received_total", "Messages that came to this process, however many listen in it", ({ received }) => received),
    metric("dropped_total", "Messages that did not reach a receiver because it was too slow", ({ dropped }) => dropped),
    metric("slow_receivers_total", "Receivers that were ended because they were too slow", slowOf),
    {
      name: "keyline_channel_gaps_total",
      type: "counter",
      help: "Gaps that receivers were told of, by reason",
      read: async () =>
        (await channels()).flatMap(([channel, { gaps }]) => [...gaps].map(([reason, value]) => ({ labels: { channel, reason }, value }))),
    },
  ];
}

/** Of all patterns together. */
function patternMetrics({ patterns }: CountedSources): MetricDefinition[] {
  const metric = (name: string, help: string, read: Read<ChannelCounts>): MetricDefinition => ({
    name: `keyline_pattern_${name}`,
    type: "counter",
    help,
    read: () => [{ labels: {}, value: read(patterns) }],
  });
  return [
    metric("received_total", "Messages that came to this process for a pattern, once for each", ({ received }) => received),
    metric("dropped_total", "Messages that did not reach a receiver of a pattern because it was too slow", ({ dropped }) => dropped),
    metric("slow_receivers_total", "Receivers of patterns that were ended because they were too slow", slowOf),
    {
      name: "keyline_pattern_gaps_total",
      type: "counter",
      help: "Gaps that receivers of patterns were told of, by reason",
      read: () => [...patterns.gaps].map(([reason, value]) => ({ labels: { reason }, value })),
    },
  ];
}

const slowOf = ({ slowReceivers }: ChannelCounts): number => slowReceivers;
const overtakenOf = ({ overtaken }: ShiftCounts): number => overtaken;
const rescuedOf = ({ rescued }: ShiftCounts): number => rescued;
const rebuildsOf = ({ rebuilds }: QueueCounts): number => rebuilds;

function sumOf(what: "running" | "capacity"): Read<ShiftCounts> {
  return ({ crews }) => [...crews].reduce((sum, crew) => sum + crew[what], 0);
}

function samplesOfQueues(queues: Named<QueueCounts>, read: Read<QueueCounts>): Sample[] {
  return queues.map(([queue, counts]) => ({ labels: { queue }, value: read(counts) }));
}

function samplesOfGroups(streams: Named<StreamCounts>, read: Read<GroupCounts>): Sample[] {
  return streams.flatMap(([stream, { groups }]) =>
    [...groups].map(([group, counts]): { labels: Labels; value: number } => ({ labels: { stream, group }, value: read(counts) })),
  );
}
