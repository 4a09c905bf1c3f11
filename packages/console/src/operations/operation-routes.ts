import type { AuditEntry } from "keyline";
import { auditQuery, type AuditPage } from "../api/audit.ts";
import { noBody } from "../api/job.ts";
import { liveQuery } from "../api/live.ts";
import type { Me } from "../api/me.ts";
import type { Task, TasksView } from "../api/task.ts";
import type { Desk } from "../desk.ts";
import { securityHeaders } from "../http/answers.ts";
import { parse } from "../http/json-body.ts";
import { Refusal } from "../http/refusal.ts";
import type { Ask, Route } from "../http/router.ts";
import { readPage } from "../library/pages.ts";
import { readHealth } from "./read-health.ts";
import { readOverview } from "../overview/overview.ts";

const mostTopics = 16;

/** What is of no queue, stream or channel. */
export function operationRoutes(desk: Desk): Route[] {
  return [
    { method: "GET", path: "me", answer: ({ visitor }) => me(desk, visitor) },
    { method: "GET", path: "overview", answer: () => readOverview(desk) },
    { method: "GET", path: "health", answer: () => readHealth(desk) },
    { method: "GET", path: "audit", answer: (ask) => readAudit(desk, ask) },
    { method: "GET", path: "live", answer: (ask) => openLive(desk, ask) },
    { method: "GET", path: "tasks", answer: () => ({ tasks: desk.tasks.list() }) satisfies TasksView },
    { method: "GET", path: "tasks/:id", answer: ({ param }) => desk.tasks.get(param("id")) },
    { method: "POST", path: "tasks/:id/stop", answer: (ask) => stopTask(desk, ask) },
  ];
}

async function me({ health, title, redactor }: Desk, { role, who, expiresAt }: Ask["visitor"]): Promise<Me> {
  const { postgres } = await health.stores();
  return { role, who, expiresAt: expiresAt ?? null, title, redacted: [...redactor.rules], hasPostgres: postgres !== "unused" };
}

async function readAudit({ keyline, redactor, health }: Desk, { query }: Ask): Promise<AuditPage> {
  const { target, cursor, limit } = parse(auditQuery, query);
  const read = { ...(target !== undefined && { target }), ...(cursor !== undefined && { cursor }) };
  const { rows, next } = await readPage(health, keyline.audit.list({ ...read, limit: limit + 1 }), { limit });
  return { entries: rows.map((entry) => auditRow(entry, (value) => redactor.value(value))), next };
}

function auditRow(entry: AuditEntry, hide: (value: unknown) => unknown): AuditPage["entries"][number] {
  const { id, at, who, action, target, details, count, error, finishedAt } = entry;
  return {
    id,
    at,
    who,
    action,
    target,
    details: hide(details ?? null),
    count: count ?? null,
    error: typeof error === "string" ? String(hide(error)) : null,
    finishedAt: finishedAt ?? null,
  };
}

async function stopTask({ tasks, audited }: Desk, { visitor, param, body }: Ask): Promise<unknown> {
  parse(noBody, body);
  const { id, target, act } = tasks.get(param("id"));
  // One that had ended by itself was not stopped.
  const countOf = ({ state }: Task): number => Number(state === "stopped");
  return audited.do(visitor, { action: "stop", target, details: { task: id, act } }, () => tasks.stop(id), countOf);
}

async function openLive({ live }: Desk, { query, visitor, signal, lastEventId }: Ask): Promise<Response> {
  const topics = [...new Set(parse(liveQuery, query).topics.split(","))].filter((topic) => topic !== "");
  if (topics.length === 0 || topics.length > mostTopics) {
    throw new Refusal({ status: 400, code: "INVALID_REQUEST", title: `An event stream has 1 to ${mostTopics} topics` });
  }
  const body = await live.open(topics, { expiresAt: visitor.expiresAt, signal, lastEventId });
  const headers = {
    ...securityHeaders,
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    // For proxies that would gather the events first.
    "x-accel-buffering": "no",
    // A connection that is left open behind its end would keep a server from closing.
    connection: "close",
  };
  return new Response(body, { headers });
}
