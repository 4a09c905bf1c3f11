import type { KnownStatus, Limits as KeylineLimits, WorkerInfo } from "keyline";
import type { Limits, QueueCounts, QueueView, WorkerView } from "../api/queue.ts";
import type { AnyQueue } from "../console-options.ts";
import type { Desk } from "../desk.ts";
import type { Known } from "../library/known-things.ts";
import { readSome } from "../library/pages.ts";
import { Patience } from "../library/patience.ts";
import { toLosses } from "../overview/losses.ts";
import type { QueueTraits } from "../library/shapes.ts";
import { perMinute, toDurations } from "./counted.ts";
import { queueProblems } from "./queue-problems.ts";

export type KnownQueue = Known<AnyQueue, QueueTraits>;

const mostSchedules = 500;

/** A queue as it is now. Never waits for long: what a store that is away would have to say is null. */
export async function readQueue({ health }: Desk, { name, transactional, thing: queue }: KnownQueue): Promise<QueueView> {
  const patience = new Patience(health);
  const [stores, counts, rates, limits, workers, schedules] = await Promise.all([
    health.stores(),
    patience.for(() => queue.counts({ known: true }), transactional ? undefined : "valkey"),
    patience.for(() => queue.rates({ minutes: 60 }), "valkey"),
    patience.for(() => queue.limits(), transactional ? undefined : "valkey"),
    patience.for(() => queue.workers(), "valkey"),
    patience.for(() => readSome(health, queue.schedules(), { limit: mostSchedules }), transactional ? "postgres" : "valkey"),
  ]);
  const at = Date.now();
  const oldestWaitingMs = counts?.oldestWaitingAt === undefined ? undefined : Math.max(0, at - counts.oldestWaitingAt);
  return {
    at,
    stores,
    name,
    transactional,
    paused: counts?.paused ?? false,
    counts: counts ? toCounts(counts) : null,
    oldestWaitingMs: oldestWaitingMs ?? null,
    rates: rates
      ? {
          added: perMinute(rates.minutes, ({ added }) => added),
          completed: perMinute(rates.minutes, ({ completed }) => completed),
          failed: perMinute(rates.minutes, ({ failed }) => failed),
          dead: perMinute(rates.minutes, ({ dead }) => dead),
          cancelled: perMinute(rates.minutes, ({ cancelled }) => cancelled),
        }
      : null,
    run: rates ? toDurations(rates.total.run) : null,
    wait: rates ? toDurations(rates.total.wait) : null,
    losses: rates ? toLosses(rates) : null,
    limits: limits ? toLimits(limits) : null,
    workers: workers ? workers.map(toWorker) : null,
    schedules: schedules?.rows.length ?? null,
    problems: queueProblems({ counts, rates, workers: workers?.length, oldestWaitingMs }),
  };
}

export function toLimits({ concurrency, rate, group }: KeylineLimits): Limits {
  return {
    concurrency: concurrency ?? null,
    rate: rate ? { ...rate } : null,
    group: { concurrency: group?.concurrency ?? null, rate: group?.rate ? { ...group.rate } : null },
  };
}

function toCounts({ waiting, blocked, running, scheduled, parked, dead, dropped, isFromRows }: KnownStatus): QueueCounts {
  const rows = { parked: parked ?? null, dead: dead ?? null, dropped: dropped ?? null };
  return { waiting, blocked, running, scheduled, ...rows, isFromRows };
}

function toWorker({ id, host, pid, version, concurrency, startedAt, running, jobs }: WorkerInfo): WorkerView {
  return {
    id,
    host: host ?? null,
    pid: pid ?? null,
    version: version ?? null,
    concurrency: concurrency ?? null,
    startedAt: startedAt ?? null,
    running,
    jobs: jobs.map(({ id, attempt, startedAt }) => ({ id, attempt, startedAt })),
  };
}
