import type { Database } from "./database.ts";
import type { Statement } from "./statement.ts";

export interface RecordedStream {
  readonly name: string;
  readonly hasKeys: boolean;
}

/** From one name to the next one in the index, however many jobs each has. */
const queues: Statement = {
  name: "keyline-recorded-queues",
  isQuick: true,
  text: `WITH RECURSIVE known AS (
      (SELECT queue FROM keyline.job ORDER BY queue LIMIT 1)
    UNION ALL
      SELECT (SELECT job.queue FROM keyline.job WHERE job.queue > known.queue ORDER BY job.queue LIMIT 1) FROM known WHERE known.queue IS NOT NULL
    )
    SELECT queue AS name FROM known WHERE queue IS NOT NULL
    UNION SELECT queue FROM keyline.schedule`,
};
const streams: Statement = {
  name: "keyline-recorded-streams",
  isQuick: true,
  text: `SELECT name, EXISTS (SELECT FROM keyline.event WHERE event.stream = stream.name AND event.key IS NOT NULL) AS has_keys
    FROM keyline.stream WHERE last_position > dropped_position`,
};

/** The transactional queues that have jobs or schedules. */
export async function recordedQueues(database: Database): Promise<string[]> {
  return (await database.query<{ name: string }>(queues, [])).map(({ name }) => name);
}

/** The transactional streams that have events. */
export async function recordedStreams(database: Database): Promise<RecordedStream[]> {
  const rows = await database.query<{ name: string; has_keys: boolean }>(streams, []);
  return rows.map(({ name, has_keys: hasKeys }) => ({ name, hasKeys }));
}
