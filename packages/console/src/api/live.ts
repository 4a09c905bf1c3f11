import { z } from "zod";
import { time } from "./basics.ts";
import { messageRow } from "./channel.ts";
import { channelView } from "./channel.ts";
import { health } from "./health.ts";
import { jobView } from "./job.ts";
import { overview } from "./overview.ts";
import { queueView } from "./queue.ts";
import { entryRow, streamView } from "./stream.ts";
import { tasksView } from "./task.ts";

/**
 * `GET live?topics=overview,queue:NAME,job:QUEUE/ID,events:QUEUE,channel:NAME,stream:NAME,health,tasks`: server-sent events, up to 16 topics. The
 * connection is opened with `fetch`, as it needs the header with the token. The `id` of an event, which may come alone, says up to where everything was told: sent back as
 * `last-event-id`, also with other topics, tails go on behind it. Where that is not possible a tail tells that some are missing. A `change` tells all of its topic.
 *
 * - `change`: the newest of a topic, at once and then at most once a second, when it has changed (`liveChange`);
 * - `tail`: what came on a channel, a stream or among a queue's events since the last one (`liveTail`);
 * - `end`: it ends, and why (`liveEnd`). Ask for `me` before coming again after `TOKEN_EXPIRED`.
 * A comment comes every 15 seconds.
 */
export const liveQuery = z.object({ topics: z.string().min(1).max(4_096) });

const change = <Data extends z.ZodType>(topic: "overview" | "health" | "tasks" | "queue" | "job" | "channel" | "stream", data: Data) =>
  z.object({ kind: z.literal(topic), topic: z.string(), at: time, data });

export const liveChange = z.union([
  change("overview", overview),
  change("health", health),
  change("tasks", tasksView),
  change("queue", queueView),
  /** Null: there is none of that id, or nothing is remembered of it. */
  change("job", jobView.nullable()),
  change("channel", channelView),
  change("stream", streamView),
]);
export type LiveChange = z.infer<typeof liveChange>;

export const queueEventRow = z.object({
  type: z.enum(["added", "started", "progress", "retried", "completed", "dead", "cancelled", "paused", "resumed"]),
  at: time,
  /** The job's; null of a pause. */
  id: z.string().nullable(),
  attempt: z.number().nullable(),
  error: z.string().nullable(),
  tookMs: z.number().nullable(),
  delayMs: z.number().nullable(),
  group: z.string().nullable(),
  progress: z.unknown(),
});
export type QueueEventRow = z.infer<typeof queueEventRow>;

const tail = <Row extends z.ZodType>(kind: "events" | "channel" | "stream", row: Row) =>
  z.object({
    kind: z.literal(kind),
    topic: z.string(),
    at: time,
    /** Oldest first, 100 at the most. */
    rows: z.array(row),
    /** How many came before them and are not shown; null: nobody knows how many are missing. */
    skipped: z.number().nullable(),
  });
export const liveTail = z.union([tail("events", queueEventRow), tail("channel", messageRow), tail("stream", entryRow)]);
export type LiveTail = z.infer<typeof liveTail>;

export const liveEnd = z.object({ code: z.enum(["TOKEN_EXPIRED", "CLOSED", "SLOW_RECEIVER"]) });
export type LiveEnd = z.infer<typeof liveEnd>;
