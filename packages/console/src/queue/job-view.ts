import type { JobStep, QueuedJob } from "keyline";
import type { JobRow, JobView, TimelineEntry } from "../api/job.ts";
import type { Desk } from "../desk.ts";
import { toAttempts } from "./attempts.ts";
import type { KnownQueue } from "./queue-view.ts";

export function toJobRow({ payloads, redactor }: Desk, job: QueuedJob): JobRow {
  return {
    id: job.id,
    state: job.state,
    payload: job.data === undefined ? null : payloads.inList(job.data),
    attempts: job.attempts,
    addedAt: job.addedAt ?? null,
    dueAt: job.dueAt ?? null,
    group: job.group ?? null,
    priority: job.priority,
    error: job.error === undefined ? null : redactor.text(job.error),
  };
}

export function toJobView(desk: Desk, { name, transactional }: KnownQueue, job: QueuedJob): JobView {
  const { payloads, redactor } = desk;
  return {
    ...toJobRow(desk, job),
    at: Date.now(),
    queue: name,
    transactional,
    isFromRow: job.isFromRow ?? false,
    payload: job.data === undefined ? null : payloads.whole(job.data),
    history: toAttempts(redactor, job.history, { hasStacks: true }),
    stack: job.stack === undefined ? null : redactor.text(job.stack),
    progress: redactor.value(job.progress ?? null),
    steps: (job.steps ?? []).map((step) => toStep(desk, step)),
    parent: job.parent ? { queue: job.parent.queue, id: job.parent.id } : null,
    children: job.children ? { ...job.children } : null,
    onChildDead: job.onChildDead ?? null,
    worker: job.worker ?? null,
    startedAt: job.startedAt ?? null,
    timeline: timelineOf(desk, job),
    can: actsOn(job, transactional),
  };
}

function toStep({ redactor }: Desk, { name, kind, at, until, outcome, value }: JobStep): JobView["steps"][number] {
  // A step that is named like a secret is one.
  const shown = redactor.value({ [name]: value ?? null }) as Readonly<Record<string, unknown>>;
  return { name, kind, at, until: until ?? null, outcome: outcome ?? null, value: shown[name] };
}

function actsOn({ state }: QueuedJob, transactional: boolean): JobView["can"] {
  const hasEnded = state === "completed" || state === "cancelled";
  const isDead = state === "dead";
  return {
    cancel: !hasEnded && !isDead,
    promote: state === "scheduled",
    update: state === "waiting" || state === "scheduled" || state === "blocked",
    signal: transactional && !hasEnded,
    redrive: isDead,
    discard: isDead,
  };
}

/** What is known to have happened, oldest first. */
function timelineOf({ redactor }: Desk, job: QueuedJob): TimelineEntry[] {
  const entries: TimelineEntry[] = [];
  if (job.addedAt !== undefined) entries.push({ at: job.addedAt, what: "added", detail: null });
  for (const { at, tookMs, error } of job.history) {
    entries.push({ at, what: "started", detail: null }, { at: at + (tookMs ?? 0), what: "failed", detail: redactor.text(error) });
  }
  for (const { name, at } of job.steps ?? []) entries.push({ at, what: "step", detail: name });
  if (job.startedAt !== undefined) entries.push({ at: job.startedAt, what: "started", detail: job.worker ?? null });
  if (job.dueAt !== undefined) entries.push({ at: job.dueAt, what: "due", detail: null });
  return entries.toSorted((one, other) => one.at - other.at);
}
