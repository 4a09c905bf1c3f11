import { readersOf } from "./checks/readers.ts";
import { readFinal } from "./final-reading.ts";
import type { Activity, HistoryReader, Op } from "./history.ts";
import { prefix, type SoakStage } from "./stage.ts";

/** What is still to be done, though nobody produces any more. */
export async function findUnfinished(stage: SoakStage, history: HistoryReader): Promise<string[]> {
  const { shapes, pool } = stage;
  const left: string[] = [];
  for (const queue of [shapes.orders, shapes.tours, shapes.trips, shapes.legs, shapes.mails, shapes.outings, shapes.stops]) {
    const { waiting, running, scheduled, parked } = await queue.counts();
    if (waiting + running + scheduled + parked > 0) left.push(`${queue.name}: ${waiting} wait, ${running} run, ${scheduled} are scheduled`);
    // By their texts one sees who wrote them.
    if (scheduled > 0)
      left.push(...(await stage.valkey.zrange(`${prefix}:{${queue.name}}:scheduled`, 0, 4, "WITHSCORES")).map((text) => `  ${text}`));
    // What a move brought there that was under way when its worker lost its lease is returned within a minute, and is not counted until then.
    for (const key of await stage.valkey.keys(`${prefix}:{${queue.name}}:held:*`)) left.push(`${key} is held`);
  }
  for (const stream of [shapes.events, shapes.readings]) {
    const groups = await stream.groups();
    if (groups.length === 0) left.push(`${stream.name} has no group`);
    for (const { name, lag, pending } of groups) if (lag + pending > 0) left.push(`group ${name}: ${lag} lag, ${pending} pending`);
  }
  const { rows } = await pool.query<{ what: string; count: number }>(
    `SELECT 'open rows of jobs' AS what, count(*)::integer AS count FROM keyline.job WHERE state NOT IN ('dead', 'cancelled')
     UNION ALL SELECT 'families', count(*)::integer FROM keyline.family
     UNION ALL SELECT 'events without a place', count(*)::integer FROM keyline.event WHERE position < 0
     UNION ALL SELECT 'events without effects', (SELECT count(*)::integer FROM keyline.event) - (SELECT count(DISTINCT entry)::integer FROM event_effects)
     UNION ALL SELECT 'events outside the projection', (SELECT count(*)::integer FROM keyline.event) - (SELECT count(DISTINCT entry)::integer FROM mirror)
     UNION ALL SELECT 'unpublished messages', count(*)::integer FROM keyline.message`,
  );
  for (const { what, count } of rows) if (count > 0) left.push(`${count} ${what}`);
  return left.length > 0 ? left : findBehind(stage, history);
}

/** Readers that have not come to the end. */
async function findBehind(stage: SoakStage, history: HistoryReader): Promise<string[]> {
  const { kept, record, readings } = await readFinal(stage);
  const ends: readonly (readonly [Activity, string | undefined, (op: Op) => string | undefined])[] = [
    ["news.receive", kept.at(-1), ({ msg }) => msg],
    ["events.follow", record.at(-1)?.id, ({ token }) => token],
    ["readings.follow", readings.at(-1)?.id, ({ token }) => token],
  ];
  return ends.flatMap(([f, end, placeOf]) =>
    [...readersOf(history.read(), f)]
      .filter(([, told]) => !told.some((op) => placeOf(op) === end))
      .map(([reader]) => `${reader} ${f} has not got ${end}`),
  );
}
