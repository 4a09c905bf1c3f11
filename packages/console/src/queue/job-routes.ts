import type { FamilyNode } from "keyline";
import { familyQuery, jobsQuery, type FamilyView, type JobsPage, type JobView } from "../api/job.ts";
import type { Desk } from "../desk.ts";
import { parse } from "../http/json-body.ts";
import { Refusal } from "../http/refusal.ts";
import type { Ask, Route } from "../http/router.ts";
import { readPage, roughSize } from "../library/pages.ts";
import { patiently } from "../library/patience.ts";
import { toJobRow, toJobView } from "./job-view.ts";
import type { KnownQueue } from "./queue-view.ts";

const patienceMs = 4_000;
/** Nothing on Valkey finds a job by an id that is not Keyline's: a plain queue of a million jobs is looked through for it, which takes seconds; and so does a search, which looks at a hundred thousand. */
const lookMs = 20_000;

/** Jobs, as they are looked at. */
export function jobRoutes(desk: Desk): Route[] {
  const find = ({ param }: Ask): Promise<KnownQueue> => desk.shapes.queues.find(param("queue"));
  return [
    { method: "GET", path: "queues/:queue/jobs", answer: async (ask) => readJobs(desk, await find(ask), ask) },
    { method: "GET", path: "queues/:queue/jobs/:id", answer: async (ask) => readJobOrRefuse(desk, await find(ask), ask.param("id")) },
    { method: "GET", path: "queues/:queue/jobs/:id/family", answer: async (ask) => readFamily(desk, await find(ask), ask) },
  ];
}

async function readJobs(desk: Desk, { thing: queue }: KnownQueue, { query }: Ask): Promise<JobsPage> {
  const { state, group, contains, error, cursor, limit } = parse(jobsQuery, query);
  const jobs = queue.jobs({
    ...(state !== undefined && { state }),
    ...(group !== undefined && { group }),
    ...(contains !== undefined && { contains }),
    ...(error !== undefined && { error }),
    ...(cursor !== undefined && { cursor }),
    limit: limit + 1,
  });
  const isSearch = contains !== undefined || error !== undefined;
  const withinMs = isSearch ? lookMs : patienceMs;
  const { rows, next } = await readPage(desk.health, jobs, { limit, sizeOf: ({ data }) => roughSize(data), withinMs });
  // A search ends before it has looked at all, whether it has found any or not.
  return {
    jobs: rows.map((job) => toJobRow(desk, job)),
    next: next ?? jobs.cursor ?? null,
    isFromRows: rows.some(({ isFromRow }) => isFromRow),
  };
}

/** Null where there is none, and nothing is remembered of it. */
export async function readJob(desk: Desk, known: KnownQueue, id: string): Promise<JobView | null> {
  const job = await patiently(desk.health, known.thing.job(id), known.transactional ? patienceMs : lookMs);
  return job ? toJobView(desk, known, job) : null;
}

async function readJobOrRefuse(desk: Desk, known: KnownQueue, id: string): Promise<JobView> {
  return (await readJob(desk, known, id)) ?? refuse();
}

async function readFamily({ redactor, health }: Desk, { thing: queue }: KnownQueue, { param, query }: Ask): Promise<FamilyView> {
  const { cursor, limit } = parse(familyQuery, query);
  const asked = queue.family(param("id"), { limit, ...(cursor !== undefined && { cursor }) });
  const family = await patiently(health, asked, patienceMs);
  if (!family) refuse();
  const above = family.above.map(({ queue, id }) => ({ queue, id }));
  return { above, node: toNode(family, (text) => redactor.text(text)) };
}

function toNode({ queue, id, state, reason, children, next }: FamilyNode, hide: (text: string) => string): FamilyView["node"] {
  return {
    queue,
    id,
    state,
    reason: reason === undefined ? null : hide(reason),
    children: children.map((child) => toNode(child, hide)),
    next: next ?? null,
  };
}

function refuse(): never {
  throw new Refusal({ status: 404, code: "JOB_UNKNOWN", title: "There is no such job, and nothing is remembered of it" });
}
