import { Cron } from "croner";
import type { Schedule } from "keyline";
import type { ScheduleRow, SchedulesPage } from "../api/schedule.ts";
import type { Desk } from "../desk.ts";
import type { Ask, Route } from "../http/router.ts";
import { readSome } from "../library/pages.ts";

const mostSchedules = 500;
const ticksAhead = 5;

export function scheduleRoutes(desk: Desk): Route[] {
  return [{ method: "GET", path: "queues/:queue/schedules", answer: (ask) => readSchedules(desk, ask) }];
}

async function readSchedules(desk: Desk, { param }: Ask): Promise<SchedulesPage> {
  const { thing: queue } = await desk.shapes.queues.find(param("queue"));
  const { rows } = await readSome(desk.health, queue.schedules(), { limit: mostSchedules });
  return { schedules: rows.map((schedule) => toRow(desk, schedule)), next: null };
}

function toRow({ payloads }: Desk, schedule: Schedule<unknown>): ScheduleRow {
  const { name, cron, timezone, every, data, startAt, endAt, limit, missed, lastAt, ticks, paused } = schedule;
  return {
    name,
    cron: cron ?? null,
    timezone: timezone ?? null,
    every: every ?? null,
    payload: payloads.inList(data),
    startAt: startAt ?? null,
    endAt: endAt ?? null,
    limit: limit ?? null,
    missed,
    ahead: ahead(schedule),
    lastAt: lastAt ?? null,
    ticks,
    paused,
  };
}

/** When it will tick, as far as that is known from its times. */
function ahead({ cron, timezone = "UTC", every, nextAt, endAt, limit, ticks }: Schedule<unknown>): number[] {
  if (nextAt === undefined) return [];
  const most = Math.min(ticksAhead, limit === undefined ? Infinity : limit - ticks);
  const later = cron === undefined ? multiples(nextAt, every ?? Infinity, most) : cronTicks(cron, timezone, { nextAt, most });
  return later.slice(0, most).filter((at) => endAt === undefined || at <= endAt);
}

function multiples(nextAt: number, every: number, most: number): number[] {
  return every === Infinity ? [nextAt] : Array.from({ length: most }, (_, index) => nextAt + index * every);
}

function cronTicks(cron: string, timezone: string, { nextAt, most }: { readonly nextAt: number; readonly most: number }): number[] {
  try {
    const runs = new Cron(cron, { timezone, paused: true }).nextRuns(most, new Date(nextAt));
    return [nextAt, ...runs.map((run) => run.getTime()).filter((at) => at > nextAt)];
  } catch {
    // One that a newer version declared.
    return [nextAt];
  }
}
