import type { JobTable } from "../../postgres/job/job-table.ts";
import type { Verdict } from "../../work/verdict.ts";
import type { HeldJob } from "./held-jobs.ts";

/** How long a job rests that came before another one of its group, while that is on its way. */
export const earlyRestMs = 200;
/** How long a job rests whose row somebody is at. */
const lockedRestMs = 100;

const settledBefore: Verdict = { kind: "drop", error: undefined };
const early: Verdict = { kind: "yield" };

/**
 * Those of the jobs that must not run: what is settled or overtaken, and what came to Valkey before an earlier job of its group, as it may where one of
 * two deliveries failed. Only the record knows.
 */
export async function findUnfit<Data>(jobs: readonly HeldJob<Data>[], table: JobTable): Promise<Map<HeldJob<Data>, Verdict>> {
  const ids = jobs.flatMap(({ element }) => element?.id ?? []);
  const turns = await table.placed.findTurns(ids, { areCopies: jobs.some(mayBeCopy) });
  const byId = new Map(turns.map((turn) => [turn.id, turn]));
  const unfit = new Map<HeldJob<Data>, Verdict>();
  const outdated: string[] = [];
  const putOff: HeldJob<Data>[] = [];
  for (const job of jobs) {
    const turn = byId.get(job.element?.id ?? "");
    job.order = turn?.order;
    job.elsewhere = undefined;
    if (turn && turn.parks > (job.element?.parks ?? 0)) {
      outdated.push(turn.id);
      job.isOutdated = true;
      unfit.set(job, settledBefore);
    } else if (!turn || turn.attempts > job.attempts) {
      if (turn) job.elsewhere = "open";
      unfit.set(job, settledBefore);
    } else if (turn.is_put_off && job.deaths > 0 && !job.element?.group) {
      putOff.push(job);
    } else if (turn.rest > 0) {
      job.restMs = turn.rest;
      unfit.set(job, early);
    } else if (turn.is_early && job.isOrdered) {
      unfit.set(job, early);
    }
  }
  if (putOff.length > 0) await leavePutOff(putOff, { table, unfit });
  const over = jobs.filter((job) => unfit.get(job) === settledBefore);
  const gone = over.filter((job) => job.isDoubtful);
  if (gone.length > 0) await noteCancelled(gone, table);
  const ended = over.filter(({ element, isOutdated, elsewhere }) => element && !isOutdated && !elsewhere);
  if (ended.length > 0) await noteElsewhere(ended, table);
  if (outdated.length > 0) await table.parked.disown(outdated);
  const latest = jobs.filter((job) => {
    const turn = byId.get(job.element?.id ?? "");
    return !unfit.has(job) && (job.element?.isLatest || turn?.is_latest || (turn?.is_changing && mayBeCopy(job)));
  });
  if (latest.length > 0) await beginLatest(latest, { table, unfit });
  return unfit;
}

/**
 * Jobs whose attempts had ended, and whose workers were gone before Valkey knew. Where the present element is there that is brought once more, which changes nothing. Where the row could
 * not be disowned, as somebody is at it or its time has come, this element is maybe the only one: it rests.
 */
async function leavePutOff<Data>(
  jobs: readonly HeldJob<Data>[],
  { table, unfit }: { readonly table: JobTable; readonly unfit: Map<HeldJob<Data>, Verdict> },
): Promise<void> {
  const disowned = await table.parked.disownPutOff(jobs.flatMap(({ element }) => element?.id ?? []));
  for (const job of jobs) {
    job.isOutdated = disowned.has(job.element?.id ?? "");
    if (!job.isOutdated) job.restMs = lockedRestMs;
    unfit.set(job, job.isOutdated ? settledBefore : early);
  }
}

/** Another element of its job may have been marked (jobs/changes-within.ts). */
function mayBeCopy({ element, isDoubtful }: HeldJob<unknown>): boolean {
  return isDoubtful || element?.isAgain === true;
}

/** Those that are gone because they were cancelled: their ends let their ids be used again. */
async function noteCancelled<Data>(jobs: readonly HeldJob<Data>[], table: JobTable): Promise<void> {
  const cancelled = await table.cancelled.areCancelled(jobs.flatMap(({ element }) => element?.id ?? []));
  for (const job of jobs) job.isCancelled = cancelled.has(job.element?.id ?? "");
}

/** Those that have died are told of as dead. */
async function noteElsewhere<Data>(jobs: readonly HeldJob<Data>[], table: JobTable): Promise<void> {
  const elsewhere = await table.failed.elsewhere(jobs.flatMap(({ element }) => element?.id ?? []));
  for (const job of jobs) job.elsewhere = elsewhere(job.element?.id ?? "");
}

/** Jobs whose data and time may have been replaced: both are as their rows say. */
async function beginLatest<Data>(
  jobs: readonly HeldJob<Data>[],
  { table, unfit }: { readonly table: JobTable; readonly unfit: Map<HeldJob<Data>, Verdict> },
): Promise<void> {
  const rows = await table.once.beginLatest(jobs.flatMap(({ element }) => element?.id ?? []));
  const byId = new Map(rows.map((row) => [row.id, row]));
  for (const job of jobs) {
    const row = byId.get(job.element?.id ?? "");
    if (row?.wait === 0) {
      job.rowData = { json: row.data, period: row.period };
    } else {
      job.restMs = row?.wait ?? lockedRestMs;
      unfit.set(job, early);
    }
  }
}

/** What the store has to know of a job that goes back. */
export function turnOf({ raw, element, order = "0", restMs = earlyRestMs }: HeldJob<unknown>): {
  readonly element: string;
  readonly id: string;
  readonly group: string;
  readonly order: string;
  readonly restMs: number;
} {
  return { element: raw, id: element?.id ?? "", group: element?.group ?? "", order, restMs };
}
