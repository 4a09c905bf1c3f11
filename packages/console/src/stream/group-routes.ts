import type { Group } from "keyline";
import { groupLettersBody, groupLettersQuery, removeBody, resetBody, type GroupLettersPage, type StreamGroup } from "../api/stream.ts";
import type { Desk } from "../desk.ts";
import { parse } from "../http/json-body.ts";
import { Refusal } from "../http/refusal.ts";
import type { Ask, Route } from "../http/router.ts";
import { readPage, roughSize } from "../library/pages.ts";
import { Patience, patiently } from "../library/patience.ts";
import { readGroup } from "./stream-view.ts";

const patienceMs = 4_000;

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

async function actOnLetters({ shapes, audited }: Desk, { param, body, visitor }: Ask, act: "redrive" | "discard"): Promise<unknown> {
  const { ids } = parse(groupLettersBody, body);
  const { name, group } = await find({ shapes }, param);
  const details = { group: group.name, ...(ids ? { ids: ids.length } : { all: true }) };
  const work = (): Promise<number> => {
    if (act === "redrive") return ids ? group.redrive({ ids }) : group.redrive();
    return group.discard(ids ? { ids } : { all: true });
  };
  const count = await audited.do(visitor, { action: act, target: `stream:${name}`, details }, work, (done) => done);
  return { count };
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
