import type { Group } from "keyline";
import { groupLettersBody, groupLettersQuery, removeBody, resetBody, type GroupLettersPage, type StreamGroup } from "../api/stream.ts";
import type { Desk } from "../desk.ts";
import { jsonAnswer } from "../http/answers.ts";
import { parse } from "../http/json-body.ts";
import { Refusal } from "../http/refusal.ts";
import type { Ask, Route } from "../http/router.ts";
import { readPage, roughSize } from "../library/pages.ts";
import { Patience, patiently } from "../library/patience.ts";
import { readGroup } from "./stream-view.ts";

const patienceMs = 4_000;

type LetterAct = "redrive" | "discard";

/** The consumer groups of a stream. */
export function groupRoutes(desk: Desk): Route[] {
  const path = "streams/:stream/groups/:group";
  return [
    { method: "GET", path, answer: (ask) => readOne(desk, ask) },
    { method: "GET", path: `${path}/letters`, answer: (ask) => readLetters(desk, ask) },
    { method: "POST", path: `${path}/redrive`, answer: (ask) => actOnLetters(desk, ask, "redrive") },
    { method: "POST", path: `${path}/discard`, answer: (ask) => actOnLetters(desk, ask, "discard") },
    { method: "POST", path: `${path}/reset`, answer: (ask) => reset(desk, ask) },
    { method: "POST", path: `${path}/remove`, answer: (ask) => remove(desk, ask) },
  ];
}

async function readOne({ shapes, health }: Desk, { param }: Ask): Promise<StreamGroup> {
  const { thing: stream } = await shapes.streams.find(param("stream"));
  const status = await patiently(health, stream.group(param("group")).status(), patienceMs);
  return readGroup(stream, status, new Patience(health));
}

async function readLetters({ shapes, payloads, redactor, health }: Desk, { param, query }: Ask): Promise<GroupLettersPage> {
  const { cursor, limit } = parse(groupLettersQuery, query);
  const { thing: stream } = await shapes.streams.find(param("stream"));
  const all = stream.group(param("group")).deadLetters({ limit: limit + 1, ...(cursor !== undefined && { cursor }) });
  const { rows, next } = await readPage(health, all, { limit, sizeOf: ({ data }) => roughSize(data) });
  const letters = rows.map(({ id, key, reason, attempts, at, data }) => ({
    id,
    key: key ?? null,
    reason: redactor.text(reason),
    attempts,
    at,
    payload: payloads.inList(data),
  }));
  return { letters, next };
}

async function actOnLetters(desk: Desk, { param, body, visitor }: Ask, act: LetterAct): Promise<unknown> {
  const { ids, dryRun } = parse(groupLettersBody, body);
  const { name, group } = await find(desk, param);
  if (dryRun) return { count: await countOf(desk, group) };
  const of = { visitor, act, target: `stream:${name}` };
  if (!ids) return beginAll(desk, group, of);
  const details = { group: group.name, ids: ids.length };
  const work = (): Promise<number> => group[act]({ ids });
  return { count: await desk.audited.do(visitor, { action: act, target: of.target, details }, work, (done) => done) };
}

interface ActOnAll {
  readonly visitor: Ask["visitor"];
  readonly act: LetterAct;
  /** As the audit trail has it. */
  readonly target: string;
}

/** There may be any number of them: it goes on as a task, which can be looked at and stopped. */
async function beginAll(desk: Desk, group: Group, { visitor, act, target }: ActOnAll): Promise<Response> {
  const { audited, tasks } = desk;
  const total = await countOf(desk, group);
  tasks.checkRoom();
  const id = await audited.begin(visitor, { action: act, target, details: { group: group.name, all: true } });
  const task = tasks.start({
    act,
    target: `${target}/${group.name}`,
    who: visitor.who,
    total,
    work: async (signal, onProgress) => {
      signal.throwIfAborted();
      const between = { signal, onProgress: ({ done }: { readonly done: number }) => onProgress({ done, total }) };
      if (act === "discard") return group.discard({ all: true, ...between });
      // The oldest of them: what dies again meanwhile is not meant.
      return total === 0 ? 0 : group.redrive({ limit: total, ...between });
    },
    explain: (error) => audited.explain(error),
    onEnd: (end) => audited.end(id, end),
  });
  return jsonAnswer({ task: task.id }, 202);
}

async function countOf({ health }: Pick<Desk, "health">, group: Group): Promise<number> {
  return (await patiently(health, group.status(), patienceMs)).dead;
}

async function reset({ shapes, audited }: Desk, { param, body, visitor }: Ask): Promise<unknown> {
  const { confirm, to } = parse(resetBody, body);
  const { name, group } = await find({ shapes }, param);
  checkConfirmed(confirm, group);
  const place = typeof to === "number" ? new Date(to) : to;
  await audited.do(visitor, { action: "reset", target: `stream:${name}`, details: { group: group.name, to } }, () => group.reset(place));
  return { done: true };
}

async function remove({ shapes, audited }: Desk, { param, body, visitor }: Ask): Promise<unknown> {
  const { confirm } = parse(removeBody, body);
  const { name, group } = await find({ shapes }, param);
  checkConfirmed(confirm, group);
  await audited.do(visitor, { action: "remove", target: `stream:${name}`, details: { group: group.name } }, () => group.remove());
  return { done: true };
}

async function find({ shapes }: Pick<Desk, "shapes">, param: Ask["param"]): Promise<{ readonly name: string; readonly group: Group }> {
  const { name, thing: stream } = await shapes.streams.find(param("stream"));
  return { name, group: stream.group(param("group")) };
}

/** What cannot be undone is typed. */
function checkConfirmed(confirm: string, { name }: Group): void {
  if (confirm === name) return;
  throw new Refusal({ status: 409, code: "NOT_CONFIRMED", title: "The name of the group has to be typed to confirm it" });
}
